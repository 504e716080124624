//! A scratch copy from its creation to its removal.

mod error;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::types::{FunctionCode, LastUpdateStatus, State};
use rightsizer_records::{FunctionArn, Megabytes};
use rightsizer_updater::Backoff;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::calls::TuneCalls;
use super::code::download;
use super::definition::{Marks, code, definition};
use super::invoke::{Invocation, InvokeError};
use super::leftovers::delete_log_group;
use super::original::Original;
use crate::fleet::{CallError, call_error};

pub use error::ScratchError;
use error::cannot;

/// How long Lambda may take to make a function or a version ready; functions in a VPC and snapshots take minutes.
const READY_WITHIN: Duration = Duration::from_mins(10);
/// How long a removal is tried: Lambda deletes nothing while it changes it.
const REMOVED_WITHIN: Duration = Duration::from_mins(3);
/// Pauses between two looks.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// What became of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Why its log group may be left, if it could not be deleted.
    pub log_group_left: Option<String>,
}

/// A copy of a function, which exists from [`Scratch::create`] until [`Scratch::remove`].
#[derive(Debug)]
pub struct Scratch {
    calls: TuneCalls,
    original: Arc<Original>,
    marks: Marks,
    name: String,
    /// The call that creates it, while it is under way.
    creating: Mutex<Option<JoinHandle<Result<(), CallError>>>>,
    made: Mutex<Made>,
}

/// What of it exists.
#[derive(Debug, Default)]
struct Made {
    /// The size of `$LATEST`.
    latest: Option<Megabytes>,
    versions: BTreeMap<Megabytes, String>,
    /// Versions for one cold start each.
    fresh: u32,
}

impl Scratch {
    /// Names a copy of `original`; nothing is made yet.
    pub fn new(calls: TuneCalls, original: Arc<Original>, marks: Marks) -> Self {
        Self {
            name: marks.name(original.function.name()),
            calls,
            original,
            marks,
            creating: Mutex::default(),
            made: Mutex::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The function that it is a copy of.
    pub fn original(&self) -> &Original {
        &self.original
    }

    /// Its ARN.
    pub fn function(&self) -> Option<FunctionArn> {
        let of = &self.original.function;
        let partition = of.as_str().split(':').nth(1).unwrap_or("aws");
        FunctionArn::new(partition, of.region(), of.account(), &self.name).ok()
    }

    /// Makes the copy at `size` and waits until it is ready. Its tags come with it.
    ///
    /// # Errors
    /// If it cannot be made. It may exist nevertheless: [`Scratch::remove`] is always right.
    pub async fn create(&self, size: Megabytes) -> Result<(), ScratchError> {
        let link = self.original.code.location().unwrap_or_default();
        let own_package = !self.original.is_image() && self.original.code_at.is_none();
        let package = if own_package {
            Some(download(link).await?)
        } else {
            None
        };
        let code = code(&self.original, package);
        let mut made = self.made.lock().await;
        self.call_create(size, code).await?;
        self.ready(None).await?;
        made.latest = Some(size);
        drop(made);
        self.same_code().await
    }

    /// Makes the call in a task of its own: if the caller gives up, [`Scratch::remove`] waits for it, because a function
    /// may appear after a removal that came too early.
    async fn call_create(&self, size: Megabytes, code: FunctionCode) -> Result<(), ScratchError> {
        let (calls, original) = (self.calls.clone(), self.original.clone());
        let marks = self.marks.clone();
        let mut creating = self.creating.lock().await;
        let call = creating.insert(tokio::spawn(async move {
            create(&calls, &original, &marks, size, &code).await
        }));
        let created = call.await;
        *creating = None;
        let created = created.unwrap_or_else(|e| Err(CallError::Unclear(e.to_string())));
        created.map_err(|error| self.refused(error))
    }

    fn refused(&self, error: CallError) -> ScratchError {
        match error {
            CallError::Refused(why) if why.contains("iam:PassRole") => ScratchError::PassRole {
                role: self.original.role().to_owned(),
                why,
            },
            error => cannot("create the copy")(error),
        }
    }

    async fn same_code(&self) -> Result<(), ScratchError> {
        let now = self.look(None).await?;
        let same = now.code_sha256.as_deref() == self.original.code_sha256();
        if same {
            Ok(())
        } else {
            Err(ScratchError::OtherCode)
        }
    }

    /// Returns the version of the copy at `size`; makes it if there is none yet.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn version_at(&self, size: Megabytes) -> Result<String, ScratchError> {
        // One at a time: a version is published from the one `$LATEST`.
        let mut made = self.made.lock().await;
        if let Some(version) = made.versions.get(&size) {
            return Ok(version.clone());
        }
        if made.latest != Some(size) {
            self.change(size, None).await?;
            made.latest = Some(size);
        }
        let version = self.publish().await?;
        self.ready(Some(&version)).await?;
        made.versions.insert(size, version.clone());
        Ok(version)
    }

    /// Returns a version at `size` that never ran, so that its first invocation starts cold.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn fresh_version_at(&self, size: Megabytes) -> Result<String, ScratchError> {
        let mut made = self.made.lock().await;
        made.fresh += 1;
        // Lambda publishes nothing if nothing has changed.
        let description = format!("Cold start {} of a run of rightsizer tune", made.fresh);
        self.change(size, Some(description)).await?;
        made.latest = Some(size);
        let version = self.publish().await?;
        self.ready(Some(&version)).await?;
        Ok(version)
    }

    async fn change(
        &self,
        size: Megabytes,
        description: Option<String>,
    ) -> Result<(), ScratchError> {
        let memory = i32::try_from(size.0).unwrap_or(i32::MAX);
        let cannot = cannot("change the size of the copy");
        let resized = self.repeated(|| async {
            let request = self.calls.lambda.update_function_configuration();
            let request = request.function_name(&self.name).memory_size(memory);
            let request = request.set_description(description.clone());
            let answer = request.send().await;
            answer.map(|_| ()).map_err(|e| call_error(&e))
        });
        resized.await.map_err(cannot)?;
        self.ready(None).await
    }

    /// Publishing the same code and settings again returns the same version, so it may be repeated.
    async fn publish(&self) -> Result<String, ScratchError> {
        let published = self.repeated(|| async {
            let request = self.calls.lambda.publish_version();
            let answer = request.function_name(&self.name).send().await;
            let answer = answer.map_err(|e| call_error(&e))?;
            let version = answer.version().unwrap_or_default().to_owned();
            Ok(version)
        });
        published
            .await
            .map_err(cannot("publish a version of the copy"))
    }

    /// Makes a change of the copy that does no harm twice, until it is clear that it was made.
    async fn repeated<T, F>(&self, make: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let until = Instant::now() + READY_WITHIN;
        for pause in Backoff::new(FIRST_LOOK, LONGEST_LOOK) {
            match self.calls.changing(&make).await {
                Err(CallError::Busy(_) | CallError::Unclear(_)) if Instant::now() < until => {
                    sleep(pause).await;
                }
                answer => return answer,
            }
        }
        make().await
    }

    /// Waits until the copy, or a version of it, can be invoked.
    async fn ready(&self, version: Option<&str>) -> Result<(), ScratchError> {
        let until = Instant::now() + READY_WITHIN;
        let what = || version.map_or_else(|| self.name.clone(), |v| format!("{}:{v}", self.name));
        for pause in Backoff::new(FIRST_LOOK, LONGEST_LOOK) {
            let now = self.look(version).await?;
            let reason = now.reason.clone();
            let why = || {
                reason
                    .clone()
                    .unwrap_or_else(|| "no reason given".to_owned())
            };
            let not_ready = |why: String| ScratchError::NotReady { what: what(), why };
            match (&now.state, &now.update) {
                (Some(State::Failed), _) | (_, Some(LastUpdateStatus::Failed)) => {
                    return Err(not_ready(why()));
                }
                (Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => {}
                _ => return Ok(()),
            }
            if Instant::now() > until {
                return Err(not_ready(format!(
                    "it took more than {} minutes",
                    READY_WITHIN.as_secs() / 60
                )));
            }
            sleep(pause).await;
        }
        Ok(())
    }

    async fn look(&self, version: Option<&str>) -> Result<Look, ScratchError> {
        let looked = self.repeated(|| async {
            let request = self.calls.lambda.get_function().function_name(&self.name);
            let request = request.set_qualifier(version.map(str::to_owned));
            let answer = request.send().await.map_err(|e| call_error(&e))?;
            let now = answer.configuration();
            let reason = now.and_then(|now| now.state_reason().or(now.last_update_status_reason()));
            Ok(Look {
                state: now.and_then(|now| now.state().cloned()),
                update: now.and_then(|now| now.last_update_status().cloned()),
                reason: reason.map(str::to_owned),
                code_sha256: now.and_then(|now| now.code_sha256().map(str::to_owned)),
            })
        });
        looked.await.map_err(cannot("read the copy"))
    }

    /// Invokes a version once.
    ///
    /// # Errors
    /// If the response is unclear.
    pub async fn invoke(&self, version: &str, payload: &[u8]) -> Result<Invocation, InvokeError> {
        self.calls.invoke(&self.name, Some(version), payload).await
    }

    /// Removes the copy with all its versions, and its log group. Does nothing if there is none.
    ///
    /// # Errors
    /// If it may still exist.
    pub async fn remove(&self) -> Result<Removed, CallError> {
        if let Some(call) = self.creating.lock().await.take() {
            // Whatever became of it: the removal follows.
            let _ = call.await;
        }
        delete(&self.calls, &self.name).await?;
        Ok(Removed {
            log_group_left: delete_log_group(&self.calls, &self.name).await,
        })
    }
}

/// Creates the copy, until it is clear that it exists.
async fn create(
    calls: &TuneCalls,
    original: &Original,
    marks: &Marks,
    size: Megabytes,
    code: &FunctionCode,
) -> Result<(), CallError> {
    let mut pauses = Backoff::new(FIRST_LOOK, LONGEST_LOOK).take(8);
    loop {
        let created = calls.changing(|| async {
            let input = definition(original, marks, size, code.clone());
            let answer = input.send_with(&calls.lambda).await;
            answer.map(|_| ()).map_err(|error| {
                let exists = error.code() == Some("ResourceConflictException");
                if exists {
                    CallError::Busy("exists".to_owned())
                } else {
                    call_error(&error)
                }
            })
        });
        match (created.await, pauses.next()) {
            // Only this run uses the name, so an earlier attempt has made it.
            (Ok(()) | Err(CallError::Busy(_)), _) => return Ok(()),
            (Err(CallError::Unclear(_)), Some(pause)) => sleep(pause).await,
            (Err(error), _) => return Err(error),
        }
    }
}

/// Deletes a function and its versions; right if there is none.
pub(super) async fn delete(calls: &TuneCalls, name: &str) -> Result<(), CallError> {
    let until = Instant::now() + REMOVED_WITHIN;
    for pause in Backoff::new(FIRST_LOOK, LONGEST_LOOK) {
        let deleted = calls.changing(|| async {
            let answer = calls
                .lambda
                .delete_function()
                .function_name(name)
                .send()
                .await;
            match answer {
                Err(e) if e.code() == Some("ResourceNotFoundException") => Ok(()),
                answer => answer.map(|_| ()).map_err(|e| call_error(&e)),
            }
        });
        match deleted.await {
            Err(CallError::Busy(_) | CallError::Unclear(_)) if Instant::now() < until => {
                sleep(pause).await;
            }
            answer => return answer,
        }
    }
    Ok(())
}

/// The copy or a version as it is now.
struct Look {
    state: Option<State>,
    update: Option<LastUpdateStatus>,
    reason: Option<String>,
    code_sha256: Option<String>,
}
