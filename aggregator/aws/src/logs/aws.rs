//! Log groups by AWS's API.

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::types::{LogGroupClass, QueryStatistics, QueryStatus, ResultField};
use rightsizer_records::Timestamp;

use super::calls::{Answer, LogLine, LogsApi, LogsError, QueryState, Row};
use super::group::LogGroup;
use super::query::QUERY_ROWS;
use crate::Page;
use crate::config::without_retries;
use crate::errors::{is_throttled, words};

/// The most log groups of a page.
const GROUPS_PAGE: i32 = 50;

/// One account's logs in one region, those of the client.
#[derive(Debug, Clone)]
pub struct AwsLogs {
    client: Client,
}

impl AwsLogs {
    /// With this configuration's credentials and region. The SDK does not repeat calls: that is paced
    /// with all others.
    pub fn new(config: &SdkConfig) -> Self {
        let once = without_retries(config);
        Self {
            client: Client::new(&once),
        }
    }

    /// The client itself.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }
}

impl LogsApi for AwsLogs {
    async fn groups(
        &self,
        prefix: &str,
        page: Option<String>,
    ) -> Result<Page<LogGroup>, LogsError> {
        let request = self.client.describe_log_groups().limit(GROUPS_PAGE);
        let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
        let request = request.set_log_group_name_prefix(prefix.map(str::to_owned));
        let answer = request.set_next_token(page).send().await;
        let answer = answer.map_err(|e| logs_error(&e))?;
        Ok(Page {
            items: answer.log_groups().iter().filter_map(group).collect(),
            next: answer.next_token.filter(|next| !next.is_empty()),
        })
    }

    async fn start(
        &self,
        query: &str,
        groups: &[&str],
        (from, to): (Timestamp, Timestamp),
    ) -> Result<String, LogsError> {
        let groups = groups.iter().map(|name| (*name).to_owned()).collect();
        let request = self.client.start_query().query_string(query);
        let request = request.set_log_group_names(Some(groups)).limit(QUERY_ROWS);
        let request = request
            .start_time(from.as_ms().div_euclid(1000))
            .end_time(to.as_ms().div_euclid(1000));
        let answer = request.send().await.map_err(|e| logs_error(&e))?;
        let id = answer.query_id;
        id.ok_or_else(|| LogsError::Refused("the service returned no id for the query".to_owned()))
    }

    async fn answer(&self, id: &str) -> Result<Answer, LogsError> {
        let answer = self.client.get_query_results().query_id(id).send().await;
        let answer = answer.map_err(|e| logs_error(&e))?;
        let scanned = answer
            .statistics()
            .map_or(0.0, QueryStatistics::bytes_scanned);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole bytes returned as a double; a cast saturates"
        )]
        let scanned_bytes = scanned as u64;
        Ok(Answer {
            state: match answer.status() {
                Some(QueryStatus::Complete) => QueryState::Complete,
                Some(QueryStatus::Scheduled | QueryStatus::Running) => QueryState::Running,
                Some(QueryStatus::Timeout) => QueryState::TimedOut,
                _ => QueryState::Failed,
            },
            rows: answer.results().iter().map(|row| fields(row)).collect(),
            scanned_bytes,
        })
    }

    async fn filter(
        &self,
        group: &str,
        pattern: &str,
        (from, to): (Timestamp, Timestamp),
        page: Option<String>,
    ) -> Result<Page<LogLine>, LogsError> {
        let request = self.client.filter_log_events().log_group_name(group);
        let request = request.filter_pattern(pattern).set_next_token(page);
        let request = request.start_time(from.as_ms()).end_time(to.as_ms());
        let answer = request.send().await.map_err(|e| logs_error(&e))?;
        let events = answer.events().iter().map(|event| LogLine {
            at: event.timestamp().and_then(Timestamp::from_ms),
            stream: event.log_stream_name().map(str::to_owned),
            message: event.message().unwrap_or_default().to_owned(),
        });
        Ok(Page {
            items: events.collect(),
            next: answer.next_token.clone().filter(|next| !next.is_empty()),
        })
    }
}

fn group(described: &aws_sdk_cloudwatchlogs::types::LogGroup) -> Option<LogGroup> {
    let arn = described.log_group_arn().or_else(|| described.arn())?;
    let days = described.retention_in_days();
    Some(LogGroup {
        name: described.log_group_name()?.to_owned(),
        arn: arn.strip_suffix(":*").unwrap_or(arn).to_owned(),
        stored_bytes: u64::try_from(described.stored_bytes().unwrap_or(0)).unwrap_or(0),
        created: described.creation_time().and_then(Timestamp::from_ms),
        retention_days: days.and_then(|days| u32::try_from(days).ok()),
        delivery_only: described.log_group_class() == Some(&LogGroupClass::Delivery),
    })
}

fn fields(row: &[ResultField]) -> Row {
    let fields = row.iter();
    fields
        .filter_map(|field| Some((field.field()?.to_owned(), field.value()?.to_owned())))
        .collect()
}

/// What an error of a call means.
pub(crate) fn logs_error<E, R>(error: &SdkError<E, R>) -> LogsError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    let why = words(error);
    match error.code() {
        Some(code) if is_throttled(code) => LogsError::Throttled(why),
        Some("LimitExceededException") => LogsError::Busy(why),
        Some(
            "AccessDeniedException"
            | "AccessDenied"
            | "UnrecognizedClientException"
            | "ExpiredTokenException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "MalformedQueryException"
            | "UnknownOperationException"
            | "NotImplemented",
        ) => LogsError::Denied(why),
        Some("ResourceNotFoundException") => LogsError::Missing(why),
        Some("ServiceUnavailableException" | "InternalFailure" | "ServiceUnavailable") | None => {
            LogsError::Unclear(why)
        }
        Some(_) => LogsError::Refused(why),
    }
}
