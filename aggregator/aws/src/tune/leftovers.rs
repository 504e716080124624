//! What killed runs left: scratch copies, found by their tag, and their log groups.

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata as _;
use rightsizer_records::Timestamp;
use rightsizer_records::tags::{TUNE_OF_TAG, TUNE_RUN_TAG, TUNE_UNTIL_TAG};
use rightsizer_rules::inventory::Tags;

use super::calls::TuneCalls;
use super::definition::PREFIX;
use super::scratch::delete;
use crate::errors::words;
use crate::fleet::{CallError, call_error};
use crate::tagging::LARGEST_PAGE;

/// The log group of a function without one of its own.
const LAMBDA_GROUPS: &str = "/aws/lambda/";

/// A scratch copy, or the log group of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The name of the copy.
    pub name: String,
    /// The ARN of the function that it is a copy of, if the copy exists.
    pub of: Option<String>,
    /// The run that made it.
    pub run: Option<String>,
    /// The time from which no run can need it any more.
    pub until: Option<Timestamp>,
    /// Whether the copy exists; without it only its log group is left.
    pub function: bool,
}

/// Returns everything that tuning runs left in the account and region. A copy must have the tag of a run and the name
/// of a copy. The tagging API lists a new function only after a while, so functions with such a name are looked at too.
///
/// # Errors
/// If the functions can be found in neither way.
pub async fn leftovers(calls: &TuneCalls) -> Result<Vec<Leftover>, CallError> {
    let mut names = BTreeMap::new();
    let tagged = by_tag(calls, &mut names).await;
    let named = by_name(calls, &mut names).await;
    tagged.or(named)?;
    let mut found = BTreeMap::new();
    for (name, tags) in names {
        if let Some(leftover) = looked_at(calls, &name, tags).await? {
            found.insert(name, leftover);
        }
    }
    for name in log_groups(calls).await {
        found.entry(name.clone()).or_insert(Leftover {
            name,
            of: None,
            run: None,
            until: None,
            function: false,
        });
    }
    Ok(found.into_values().collect())
}

/// The tags of functions by their names; `None` if only the name is known.
type Names = BTreeMap<String, Option<Tags>>;

async fn by_tag(calls: &TuneCalls, names: &mut Names) -> Result<(), CallError> {
    let mut page = None;
    loop {
        let answer = calls.reading(|| async {
            let answer = calls
                .tagging
                .tagged(TUNE_RUN_TAG, page.clone(), LARGEST_PAGE)
                .await;
            answer.map_err(|error| match error.code() {
                Some(code) if crate::errors::is_throttled(code) => {
                    CallError::Throttled { retry_after: None }
                }
                _ => CallError::Refused(error.to_string()),
            })
        });
        let answer = answer.await?;
        let tagged = answer.items.into_iter();
        names.extend(tagged.map(|(function, tags)| (function.name().to_owned(), Some(tags))));
        page = answer.next;
        if page.is_none() {
            return Ok(());
        }
    }
}

async fn by_name(calls: &TuneCalls, names: &mut Names) -> Result<(), CallError> {
    let mut page: Option<String> = None;
    loop {
        let answer = calls.reading(|| async {
            let request = calls.lambda.list_functions().set_marker(page.clone());
            request.send().await.map_err(|e| call_error(&e))
        });
        let answer = answer.await?;
        for function in answer.functions() {
            let name = function.function_name().unwrap_or_default();
            if name.starts_with(PREFIX) {
                names.entry(name.to_owned()).or_default();
            }
        }
        page = answer.next_marker.filter(|next| !next.is_empty());
        if page.is_none() {
            return Ok(());
        }
    }
}

/// Returns the copy if it exists and is one by its name and its tags: its own, or those that the tagging API has.
async fn looked_at(
    calls: &TuneCalls,
    name: &str,
    listed: Option<Tags>,
) -> Result<Option<Leftover>, CallError> {
    if !name.starts_with(PREFIX) {
        return Ok(None);
    }
    let answer = calls.reading(|| async {
        let answer = calls.lambda.get_function().function_name(name).send().await;
        match answer {
            Err(e) if e.code() == Some("ResourceNotFoundException") => Ok(None),
            answer => answer.map(Some).map_err(|e| call_error(&e)),
        }
    });
    let Some(answer) = answer.await? else {
        return Ok(None);
    };
    let own: Option<Tags> = answer.tags().map(|tags| tags.clone().into_iter().collect());
    let unread = answer.tags_error().is_some();
    let tags = match own.or(listed) {
        Some(tags) => tags,
        None if unread => {
            let why = format!("the tags of {name} cannot be read; allow lambda:ListTags");
            return Err(CallError::Refused(why));
        }
        None => return Ok(None),
    };
    let tag = |key: &str| tags.get(key).cloned();
    Ok(tag(TUNE_RUN_TAG).map(|run| Leftover {
        name: name.to_owned(),
        of: tag(TUNE_OF_TAG),
        run: Some(run),
        until: tag(TUNE_UNTIL_TAG).and_then(|until| Timestamp::parse(&until).ok()),
        function: true,
    }))
}

/// Returns the names of the copies that have a log group; none if they cannot be listed.
async fn log_groups(calls: &TuneCalls) -> Vec<String> {
    let prefix = format!("{LAMBDA_GROUPS}{PREFIX}");
    let request = calls
        .logs
        .describe_log_groups()
        .log_group_name_prefix(&prefix);
    let mut groups = request.into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(Ok(group)) = groups.next().await {
        let name = group.log_group_name().unwrap_or_default();
        names.extend(name.strip_prefix(LAMBDA_GROUPS).map(str::to_owned));
    }
    names
}

/// Removes a leftover: the copy with its versions, and its log group. Returns why the log group is left, if it is.
///
/// # Errors
/// If the copy may still exist.
pub async fn remove(calls: &TuneCalls, leftover: &Leftover) -> Result<Option<String>, CallError> {
    if leftover.function {
        delete(calls, &leftover.name).await?;
    }
    Ok(delete_log_group(calls, &leftover.name).await)
}

/// Deletes the log group of a copy. Returns why it is left, if it is.
pub(super) async fn delete_log_group(calls: &TuneCalls, name: &str) -> Option<String> {
    let group = format!("{LAMBDA_GROUPS}{name}");
    let answer = calls
        .logs
        .delete_log_group()
        .log_group_name(&group)
        .send()
        .await;
    match answer {
        Ok(_) => None,
        Err(error) if error.code() == Some("ResourceNotFoundException") => None,
        Err(error) => Some(format!("{group}: {}", words(&error))),
    }
}
