//! The package of a function, read from the link that `GetFunction` returns. The link is signed, so the request is
//! not.

use std::time::Duration;

use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use rightsizer_updater::in_words;

/// How long a download may take.
const WITHIN: Duration = Duration::from_mins(5);

/// A package that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot download the package of the function: {0}")]
pub struct DownloadError(String);

/// Returns the package behind `link`.
pub(super) async fn download(link: &str) -> Result<Vec<u8>, DownloadError> {
    let bad = |why: String| DownloadError(why);
    let connector: ConnectorBuilder<_> =
        Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let connector = connector.build();
    let request = http::Request::get(link).body(SdkBody::empty());
    let request = request.map_err(|e| bad(e.to_string()))?;
    let request = request
        .try_into()
        .map_err(|_| bad("its link is not an address".to_owned()))?;
    let exchange = async {
        let answer = connector.call(request).await;
        let answer = answer.map_err(|e| bad(in_words(&e)))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|e| bad(format!("the response ended early: {e}")))?;
        if status == 200 {
            Ok(body.to_bytes().to_vec())
        } else {
            Err(bad(format!("HTTP status {status}")))
        }
    };
    let answer = tokio::time::timeout(WITHIN, exchange).await;
    answer.map_err(|_| bad(format!("no response within {WITHIN:?}")))?
}
