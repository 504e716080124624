//! `rightsizer coldstarts --provisioned`: the provisioned concurrency that the account has, beside its use. The inventory
//! does not have it, because that takes a call for each function.

use std::collections::HashMap;

use rightsizer_aws::provisioned::Provisioning;
use rightsizer_records::FunctionArn;
use rightsizer_store::FunctionDetail;

use super::Started;
use crate::cli::out;
use crate::cli::place::PlaceArgs;
use crate::power::configured_use;
use crate::settings::Settings;

/// Adds to each function what the account has for it; returns whether every function was read. `local:` functions
/// have no account.
pub(super) async fn add(
    place: &PlaceArgs,
    settings: &Settings,
    details: &[FunctionDetail],
    functions: &mut [Started],
) -> anyhow::Result<bool> {
    let mut regions: HashMap<String, Provisioning> = HashMap::new();
    let mut complete = true;
    for (detail, started) in details.iter().zip(functions) {
        let Ok(function) = FunctionArn::parse(&detail.review.function) else {
            continue;
        };
        if !regions.contains_key(function.region()) {
            let config = place.config_in(function.region()).await?;
            regions.insert(function.region().to_owned(), Provisioning::new(&config));
        }
        let Some(calls) = regions.get(function.region()) else {
            continue;
        };
        match calls.of(&function).await {
            Ok(configured) => {
                started.provisioned = Some(configured_use(detail, settings, &configured));
            }
            Err(error) => {
                complete = false;
                let error = error.to_string();
                let hint = "allow lambda:ListProvisionedConcurrencyConfigs and lambda:GetFunction";
                let hint = place.hint(&error, hint).await;
                out::note(format_args!(
                    "rightsizer: cannot read the provisioned concurrency of {function}: {error}{hint}"
                ));
            }
        }
    }
    Ok(complete)
}
