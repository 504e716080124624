//! One round of a recommendation for a function whose traffic is on a published version: the next
//! of three writes (change `$LATEST`, publish it, move the alias), or none.
//!
//! Every round reads everything again and does what is missing, so it does not matter where the
//! last one stopped. A version is only published from a `$LATEST` that differs from the serving
//! version in memory alone, and the alias is only moved to a version that was read and found so.

use rightsizer_records::{ApiFault, Mode, Recommendation, SkipCode};

use crate::check::{LATEST, alias_to_move, change, sizable};
use crate::end::{End, Step};
use crate::latest::{other_size, update_failed};
use crate::updater::{Done, superseded};
use crate::{
    Alias, Clock, ControlPlane, LastUpdate, LiveFunction, PauseSwitch, PublishFrom,
    PublishedVersion, Updater,
};

/// What a round has read.
struct Read {
    live: LiveFunction,
    alias_name: String,
    alias: Alias,
    serving: PublishedVersion,
}

impl<C: ControlPlane, P: PauseSwitch, K: Clock> Updater<C, P, K> {
    pub(crate) async fn published(
        &self,
        rec: &Recommendation,
        newer: &[&Recommendation],
        done: &mut Done,
    ) -> Step {
        match self.published_round(rec, newer, done).await {
            Ok(step) | Err(step) => step,
        }
    }

    async fn published_round(
        &self,
        rec: &Recommendation,
        newer: &[&Recommendation],
        done: &mut Done,
    ) -> Result<Step, Step> {
        let read = self.read(rec).await?;
        done.unclear = false;
        if read.serving.memory_mb == rec.to_mb {
            let (alias, version) = (&read.alias_name, &read.serving.version);
            return Ok(Step::End(End::applied(format!(
                "its alias {alias} is at version {version} with {}",
                rec.to_mb
            ))));
        }
        self.wanted(rec, newer, &read).await?;
        self.may_write().await?;
        let failed = match &read.live.last_update {
            LastUpdate::Failed(why) if done.written => {
                return Ok(Step::End(update_failed(why)));
            }
            update => matches!(update, LastUpdate::Failed(_)),
        };
        if failed || read.live.memory_mb != rec.to_mb {
            self.set_memory(rec, &read.live, done).await?;
            return Ok(Step::Next(unfinished(rec, "$LATEST is being changed")));
        }
        self.publish_and_move(rec, &read, done).await
    }

    async fn read(&self, rec: &Recommendation) -> Result<Read, Step> {
        let (api, function) = (&self.control_plane, &rec.function);
        let live = self
            .call(|| api.get(function))
            .await
            .map_err(Step::of_fault)?;
        sizable(&live).map_err(Step::skip)?;
        let alias_name = alias_to_move(rec, &live).map_err(Step::skip)?.to_owned();
        let alias = match self.call(|| api.get_alias(function, &alias_name)).await {
            Ok(alias) => alias,
            Err(e) if e.fault == ApiFault::NotFound => {
                let detail = format!(
                    "its tag rightsizer:alias names {alias_name}, which does not \
                                      exist"
                );
                return Err(Step::skip((SkipCode::BadTag, detail)));
            }
            Err(e) => return Err(Step::of_fault(e)),
        };
        if alias.version == LATEST {
            let detail = format!("its alias {alias_name} is at $LATEST now");
            return Err(Step::skip((SkipCode::StaleFrom, detail)));
        }
        let serving = self.call(|| api.get_version(function, &alias.version));
        Ok(Read {
            serving: serving.await.map_err(Step::of_fault)?,
            live,
            alias_name,
            alias,
        })
    }

    /// Whether the change is wanted and safe, and would release nothing else.
    async fn wanted(
        &self,
        rec: &Recommendation,
        newer: &[&Recommendation],
        read: &Read,
    ) -> Result<(), Step> {
        let Read {
            live,
            alias_name,
            alias,
            serving,
        } = read;
        if alias.weighted {
            let detail = format!("part of the traffic of its alias {alias_name} goes elsewhere");
            return Err(Step::skip((SkipCode::AliasManaged, detail)));
        }
        // The same rules, for what serves.
        let served = LiveFunction {
            memory_mb: serving.memory_mb,
            timeout: serving.timeout,
            code_sha256: serving.code_sha256.clone(),
            ..live.clone()
        };
        change(rec, &served, &self.settings, self.now()).map_err(Step::skip)?;
        if alias.version != rec.version {
            let detail = format!(
                "it was decided for version {}, but its alias {alias_name} is at {} now",
                rec.version, alias.version
            );
            return Err(Step::skip((SkipCode::StaleFrom, detail)));
        }
        superseded(rec, newer, serving.memory_mb).map_err(Step::skip)?;
        nothing_else_differs(live, serving).map_err(Step::skip)?;
        self.provisioned(rec, read).await
    }

    /// Provisioned concurrency on a version stays there. If an alias has it, Lambda removes it and
    /// provisions it again.
    async fn provisioned(&self, rec: &Recommendation, read: &Read) -> Result<(), Step> {
        let api = &self.control_plane;
        let provisioned = match self.call(|| api.provisioned(&rec.function)).await {
            // The function was read a moment ago: it is the configuration that is not there.
            Err(e) if e.fault == ApiFault::NotFound => Vec::new(),
            answer => answer.map_err(Step::of_fault)?,
        };
        let has = |qualifier: &str| provisioned.iter().any(|p| p == qualifier);
        let code = SkipCode::ProvisionedConcurrency;
        if has(&read.serving.version) {
            let version = &read.serving.version;
            let detail = format!("version {version} itself has it, and keeps it");
            return Err(Step::skip((code, detail)));
        }
        if has(&read.alias_name) && rec.mode == Mode::Auto && rec.to_mb < rec.from_mb {
            let detail = "Lambda removes it and provisions it again when the alias moves: approve \
                          this if that is acceptable";
            return Err(Step::skip((code, detail.to_owned())));
        }
        Ok(())
    }

    async fn publish_and_move(
        &self,
        rec: &Recommendation,
        read: &Read,
        done: &mut Done,
    ) -> Result<Step, Step> {
        let (api, function) = (&self.control_plane, &rec.function);
        let Some(code_sha256) = &read.serving.code_sha256 else {
            let detail = "Lambda's response lacks the hash of its code".to_owned();
            return Err(Step::skip((SkipCode::NotUpdatable, detail)));
        };
        let from = PublishFrom {
            code_sha256,
            revision_id: read.live.revision_id.as_deref(),
            description: read.serving.description.as_deref(),
        };
        let number = self.call(|| api.publish(function, from)).await;
        let number = number.map_err(Step::of_fault)?;
        // What the alias would serve is read, not believed.
        let new = self.call(|| api.get_version(function, &number)).await;
        let new = new.map_err(Step::of_fault)?;
        if new.memory_mb != rec.to_mb {
            return Ok(Step::End(other_size(rec.to_mb, new.memory_mb)));
        }
        let differ = new.other.differences(&read.serving.other);
        if !differ.is_empty() {
            return Err(Step::skip(ahead(&differ)));
        }
        match new.state.as_deref() {
            // A version that is not ready would fail its invocations.
            Some("Pending") => {
                return Ok(Step::Next(unfinished(rec, "the new version is prepared")));
            }
            Some("Failed") => {
                let detail = format!(
                    "the new version {} does not work; no alias was moved",
                    new.version
                );
                return Ok(Step::End(End::failed("version-failed", detail)));
            }
            _ => {}
        }
        let (name, revision) = (&read.alias_name, read.alias.revision_id.as_deref());
        let moved = self.call(|| api.move_alias(function, name, &new.version, revision));
        match moved.await {
            Ok(()) => Ok(Step::End(End::applied(format!(
                "its alias {name} was moved from version {} with {} to version {} with {}",
                read.serving.version, rec.from_mb, new.version, rec.to_mb
            )))),
            Err(e) => {
                done.unclear = e.fault == ApiFault::Unavailable;
                Err(Step::of_fault(e))
            }
        }
    }
}

fn nothing_else_differs(
    live: &LiveFunction,
    serving: &PublishedVersion,
) -> Result<(), (SkipCode, String)> {
    let differ = live.other.differences(&serving.other);
    if differ.is_empty() {
        Ok(())
    } else {
        Err(ahead(&differ))
    }
}

fn ahead(differ: &[&str]) -> (SkipCode, String) {
    let detail = format!(
        "$LATEST differs from the version that serves, and publishing would release it: {}",
        differ.join(", ")
    );
    (SkipCode::AliasAhead, detail)
}

/// The traffic has not moved yet, and the next recommendation continues from here.
fn unfinished(rec: &Recommendation, what: &str) -> End {
    let detail = format!(
        "{what}, to {}; the alias was not moved yet; the next recommendation continues from here",
        rec.to_mb
    );
    End::skipped(SkipCode::UpdateInProgress, detail)
}
