//! The one call of the Resource Groups Tagging API that the product makes: functions with their tags.

use aws_config::SdkConfig;
use rightsizer_records::{FunctionArn, Partition};
use rightsizer_rules::inventory::Tags;
use serde::Deserialize;
use serde_json::json;

use crate::Page;
use crate::signed::{Call, CallFailure, Service, SignedClient};

/// The most that one page may hold.
pub(crate) const LARGEST_PAGE: u32 = 100;

/// The Resource Groups Tagging API, by the caller's credentials.
#[derive(Debug)]
pub struct Tagging(SignedClient);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Answer {
    pagination_token: String,
    resource_tag_mapping_list: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "ResourceARN", default)]
    arn: String,
    #[serde(rename = "Tags", default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

impl Tagging {
    /// With this configuration's credentials and region. Calls are not repeated.
    pub fn new(config: &SdkConfig) -> Self {
        let service = Service {
            id: "Resource Groups Tagging API",
            signing_name: "tagging",
            place: |region| {
                let suffix = Partition::of_region(region).dns_suffix;
                (format!("tagging.{region}.{suffix}"), region.to_owned())
            },
        };
        Self(SignedClient::new(config, service))
    }

    /// Returns a page of at most `most` functions that have tags, or had some.
    pub async fn get_resources(
        &self,
        page: Option<String>,
        most: u32,
    ) -> Result<Page<(FunctionArn, Tags)>, CallFailure> {
        self.resources(page, most, None).await
    }

    /// Returns a page of at most `most` functions that have the tag `key`.
    pub(crate) async fn tagged(
        &self,
        key: &str,
        page: Option<String>,
        most: u32,
    ) -> Result<Page<(FunctionArn, Tags)>, CallFailure> {
        self.resources(page, most, Some(key)).await
    }

    async fn resources(
        &self,
        page: Option<String>,
        most: u32,
        key: Option<&str>,
    ) -> Result<Page<(FunctionArn, Tags)>, CallFailure> {
        let mut body = json!({
            "PaginationToken": page.unwrap_or_default(),
            "ResourcesPerPage": most,
            "ResourceTypeFilters": ["lambda:function"],
        });
        if let Some(key) = key {
            body["TagFilters"] = json!([{ "Key": key }]);
        }
        let answer = self.0.call(Call {
            content_type: "application/x-amz-json-1.1",
            target: Some("ResourceGroupsTaggingAPI_20170126.GetResources"),
            body: body.to_string(),
        });
        let answer: Answer = serde_json::from_str(&answer.await?)
            .map_err(|e| CallFailure::Unclear(format!("not a response of GetResources: {e}")))?;
        let tagged = answer.resource_tag_mapping_list.into_iter();
        let tagged = tagged.filter_map(|resource| {
            let function = FunctionArn::parse(&resource.arn).ok()?;
            let tags = resource.tags.into_iter();
            Some((function, tags.map(|tag| (tag.key, tag.value)).collect()))
        });
        Ok(Page {
            items: tagged.collect(),
            next: Some(answer.pagination_token).filter(|next| !next.is_empty()),
        })
    }
}
