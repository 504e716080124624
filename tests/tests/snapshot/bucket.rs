//! Large snapshots go in parts, and are all there or not at all.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kinesis::config::{Credentials, SharedCredentialsProvider};
use reqwest::Method;
use rightsizer::snapshot::{Bucket, BucketError, Part};
use rightsizer_tests::servers::{BucketFault, BucketFront, MotoServer};
use tokio::sync::mpsc;

use super::stage::{BUCKET, PLACE};

const KEY: &str = "snapshots/0000000001-0000000001.db.zst";
/// S3 takes no smaller part but the last.
const PART: usize = 5 << 20;

fn bucket(s3: &BucketFront) -> Bucket {
    let credentials = Credentials::new("testing", "testing", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(s3.endpoint())
        .build();
    Bucket::new(&config, PLACE.parse().unwrap())
}

/// Uploads parts filled with 0, 1, 2, …; the last one only if requested.
async fn upload(bucket: &Bucket, sizes: &[usize], ended: bool) -> Result<(), BucketError> {
    let (parts, waiting) = mpsc::channel(sizes.len() + 1);
    for (n, size) in sizes.iter().enumerate() {
        let bytes = vec![u8::try_from(n).unwrap(); *size];
        let last = ended && n + 1 == sizes.len();
        parts.send(Part { bytes, last }).await.unwrap();
    }
    drop(parts);
    bucket.upload(KEY, waiting).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_snapshot_goes_in_parts_and_one_that_is_cut_off_is_none() {
    let moto = MotoServer::start().await.unwrap();
    let s3 = BucketFront::before(moto.endpoint(), BUCKET).await.unwrap();
    let bucket = bucket(&s3);
    let path = format!("{BUCKET}/prod/{KEY}");
    let cut = upload(&bucket, &[PART, PART], false).await;
    assert!(matches!(cut, Err(BucketError::Unclear(_))), "{cut:?}");
    assert_eq!(s3.object(&path).await.unwrap(), None);
    assert_eq!(
        s3.calls(&Method::DELETE, "uploadId"),
        1,
        "its parts are let go of"
    );
    s3.fail(Method::PUT, "partNumber=2", BucketFault::Denied);
    let denied = upload(&bucket, &[PART, PART, 3], true).await;
    assert!(matches!(denied, Err(BucketError::Denied(_))), "{denied:?}");
    assert_eq!(s3.object(&path).await.unwrap(), None);
    s3.mend();
    upload(&bucket, &[PART, PART, 3], true).await.unwrap();
    let object = s3.object(&path).await.unwrap().unwrap();
    assert_eq!(object.len(), 2 * PART + 3);
    assert_eq!((object[0], object[PART], object[2 * PART]), (0, 1, 2));
    // It is never written over.
    for sizes in [&[3][..], &[PART, 3][..]] {
        let again = upload(&bucket, sizes, true).await;
        assert!(matches!(again, Err(BucketError::Changed(_))), "{again:?}");
    }
    tokio::time::timeout(Duration::from_secs(5), bucket.delete(KEY))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(bucket.snapshot_keys().await.unwrap(), [""; 0]);
}
