//! `rightsizer check --comment`: one comment on the pull request of the job that this runs in, on GitHub or GitLab. Later
//! runs edit it. It must not know what the comment is about.

use std::time::Duration;

use anyhow::Context as _;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::http::{self, Answer};

/// How long the service may take for a request.
const WITHIN: Duration = Duration::from_secs(30);
/// GitHub takes 65,536 characters, GitLab more.
const MOST: usize = 60_000;
/// Comments on a page, and pages that are searched for an earlier comment.
const PAGE: usize = 100;
const PAGES: usize = 20;

/// The service that runs this job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forge {
    GitHub,
    GitLab,
}

/// The pull request of this job.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PullRequest {
    forge: Forge,
    /// The address of its comments.
    comments: String,
    /// On GitHub, the address of one comment without its id.
    one: String,
    token: String,
}

/// The reason for which there is nothing to comment on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPullRequest {
    #[error("--comment: this is neither a job of GitHub Actions nor of GitLab CI")]
    Elsewhere,
    /// Not an error: the same job may run for a branch.
    #[error("this job is not for a pull request, so there is nothing to comment on")]
    Branch,
    #[error("--comment: the environment variable {0} is not set")]
    Unset(&'static str),
}

impl PullRequest {
    /// Returns the pull request that the job's environment variables name.
    pub(super) fn of(
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, NoPullRequest> {
        let needed = |name| {
            variable(name)
                .filter(|text| !text.is_empty())
                .ok_or(NoPullRequest::Unset(name))
        };
        if variable("GITHUB_ACTIONS").is_some() {
            let reference = needed("GITHUB_REF")?;
            let number = reference
                .strip_prefix("refs/pull/")
                .and_then(|rest| rest.split('/').next());
            let number = number.ok_or(NoPullRequest::Branch)?;
            let base = format!(
                "{}/repos/{}/issues",
                needed("GITHUB_API_URL")?,
                needed("GITHUB_REPOSITORY")?
            );
            return Ok(Self {
                forge: Forge::GitHub,
                comments: format!("{base}/{number}/comments"),
                one: format!("{base}/comments"),
                token: needed("GITHUB_TOKEN")?,
            });
        }
        if variable("GITLAB_CI").is_some() {
            let number = needed("CI_MERGE_REQUEST_IID").map_err(|_| NoPullRequest::Branch)?;
            let project = format!(
                "{}/projects/{}",
                needed("CI_API_V4_URL")?,
                needed("CI_PROJECT_ID")?
            );
            let comments = format!("{project}/merge_requests/{number}/notes");
            return Ok(Self {
                forge: Forge::GitLab,
                one: comments.clone(),
                comments,
                token: needed("COMMENT_TOKEN")?,
            });
        }
        Err(NoPullRequest::Elsewhere)
    }

    /// Writes the comment about `subject`, or edits the earlier one.
    pub(super) async fn write(&self, subject: &str, text: &str) -> anyhow::Result<()> {
        let mark = mark(subject);
        let body = json!({ "body": format!("{mark}\n{}", fitting(text)) }).to_string();
        if let Some(id) = self.earlier(&mark).await? {
            let method = match self.forge {
                Forge::GitHub => Method::PATCH,
                Forge::GitLab => Method::PUT,
            };
            let address = format!("{}/{id}", self.one);
            let edited = self.ask(&method, &address, body.clone()).await?;
            // A comment of another author that begins with the same mark cannot be edited.
            if !matches!(edited.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
                return taken(&edited);
            }
        }
        taken(&self.ask(&Method::POST, &self.comments, body).await?)
    }

    /// Returns the id of the first comment with this mark.
    async fn earlier(&self, mark: &str) -> anyhow::Result<Option<u64>> {
        #[derive(Deserialize)]
        struct Comment {
            id: u64,
            #[serde(default)]
            body: Option<String>,
        }
        for page in 1..=PAGES {
            let address = format!("{}?per_page={PAGE}&page={page}", self.comments);
            let listed = self.ask(&Method::GET, &address, String::new()).await?;
            taken(&listed)?;
            let comments: Vec<Comment> = serde_json::from_slice(&listed.body)
                .context("the list of comments cannot be read")?;
            let full = comments.len() >= PAGE;
            let marked = |comment: &Comment| {
                comment
                    .body
                    .as_deref()
                    .is_some_and(|body| body.starts_with(mark))
            };
            if let Some(found) = comments.into_iter().find(marked) {
                return Ok(Some(found.id));
            }
            if !full {
                break;
            }
        }
        Ok(None)
    }

    async fn ask(&self, method: &Method, address: &str, body: String) -> anyhow::Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let headers = match self.forge {
            Forge::GitHub => vec![
                ("authorization", bearer.as_str()),
                ("accept", "application/vnd.github+json"),
                ("user-agent", "rightsizer"),
            ],
            Forge::GitLab => vec![("private-token", self.token.as_str())],
        };
        let answer = http::send_with(method, address, &headers, body.into_bytes(), WITHIN).await;
        answer.context("the pull request's comments cannot be reached")
    }
}

/// The invisible first line by which a later run finds its comment.
fn mark(subject: &str) -> String {
    // Two hyphens would end the line.
    let subject: String = subject
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "./_".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("<!-- lambda-rightsizer check {subject} -->")
}

/// As many whole lines as a comment takes.
fn fitting(text: &str) -> String {
    let mut fitting = String::new();
    for line in text.lines() {
        if fitting.len() + line.len() > MOST {
            fitting.push_str("\nMore functions than fit into a comment: see the job's output.");
            break;
        }
        fitting.push_str(line);
        fitting.push('\n');
    }
    fitting
}

fn taken(answer: &Answer) -> anyhow::Result<()> {
    anyhow::ensure!(
        answer.status.is_success(),
        "the comment was not accepted: {}\nhint: the token needs permission to write comments on pull requests",
        answer.status
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        variables: &'static [(&'static str, &'static str)],
    ) -> Result<PullRequest, NoPullRequest> {
        PullRequest::of(|name| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_job_names_its_pull_request() {
        const GITHUB: [(&str, &str); 5] = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/pull/7/merge"),
            ("GITHUB_API_URL", "https://api.github.com"),
            ("GITHUB_REPOSITORY", "shop/checkout"),
            ("GITHUB_TOKEN", "t"),
        ];
        let found = of(&GITHUB).ok().unwrap();
        let wanted = "https://api.github.com/repos/shop/checkout/issues";
        assert_eq!(
            (found.comments, found.one),
            (format!("{wanted}/7/comments"), format!("{wanted}/comments"))
        );
        assert_eq!(
            of(&GITHUB[..4]).err(),
            Some(NoPullRequest::Unset("GITHUB_TOKEN"))
        );
        let branch = of(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/heads/main"),
        ]);
        assert_eq!(branch.err(), Some(NoPullRequest::Branch));
        let gitlab = of(&[
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
            ("CI_PROJECT_ID", "12"),
            ("CI_MERGE_REQUEST_IID", "3"),
            ("COMMENT_TOKEN", "t"),
        ]);
        let notes = "https://gitlab.example/api/v4/projects/12/merge_requests/3/notes";
        assert_eq!(gitlab.ok().unwrap().comments, notes);
        assert_eq!(
            of(&[("GITLAB_CI", "true")]).err(),
            Some(NoPullRequest::Branch)
        );
        assert_eq!(of(&[]).err(), Some(NoPullRequest::Elsewhere));
    }

    #[test]
    fn a_mark_is_one_invisible_line_and_a_text_fits() {
        assert_eq!(
            mark("a/b.yaml --> <b>"),
            "<!-- lambda-rightsizer check a/b.yaml______b_ -->"
        );
        let long = "| a function |\n".repeat(10_000);
        let fitted = fitting(&long);
        assert!(
            fitted.len() < 65_536 && fitted.ends_with("see the job's output."),
            "{}",
            fitted.len()
        );
        assert_eq!(fitting("one\ntwo"), "one\ntwo\n");
    }
}
