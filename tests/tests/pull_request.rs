//! The check of a pull request, as the Action and the job of `infra/pull-request` run it: their own scripts, the binary, a
//! server with the store, and a server that plays the services' APIs for comments.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use axum::extract::{Path as Part, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, patch, put};
use axum::{Json, Router};
use rightsizer_records::{EnvId, Megabytes, Reports};
use rightsizer_tests::aggregator::{Aggregator, binary, rightsizer};
use rightsizer_tests::sample;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const TOKEN: &str = "review-token-of-the-test";
const COMMENTER: &str = "token-that-comments";

/// Comments of the only pull request, with their ids; the first hundred and twenty are of other people.
#[derive(Default)]
struct Comments(Vec<(u64, String)>);

type Shared = Arc<Mutex<Comments>>;

fn may_comment(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    is("private-token", COMMENTER)
        || (is("authorization", &format!("Bearer {COMMENTER}"))
            && headers.contains_key("user-agent"))
}

async fn list(
    State(comments): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    if !may_comment(&headers) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let address = format!("http://localhost/?{}", query.unwrap_or_default());
    let part: HashMap<String, usize> = reqwest::Url::parse(&address)
        .unwrap()
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.parse().unwrap()))
        .collect();
    let comments = comments.lock().unwrap();
    let found = comments
        .0
        .iter()
        .skip((part["page"] - 1) * part["per_page"])
        .take(part["per_page"]);
    Ok(Json(
        found
            .map(|(id, body)| json!({ "id": id, "body": body }))
            .collect(),
    ))
}

async fn create(
    State(comments): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> StatusCode {
    if !may_comment(&headers) {
        return StatusCode::UNAUTHORIZED;
    }
    let mut comments = comments.lock().unwrap();
    let id = comments.0.len() as u64 + 1;
    comments
        .0
        .push((id, body["body"].as_str().unwrap().to_owned()));
    StatusCode::CREATED
}

async fn edit(
    State(comments): State<Shared>,
    Part(id): Part<u64>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> StatusCode {
    if !may_comment(&headers) {
        return StatusCode::UNAUTHORIZED;
    }
    let mut comments = comments.lock().unwrap();
    let Some(known) = comments.0.iter_mut().find(|(known, _)| *known == id) else {
        return StatusCode::NOT_FOUND;
    };
    body["body"].as_str().unwrap().clone_into(&mut known.1);
    StatusCode::OK
}

/// GitHub edits a comment by `PATCH` at an address of its own, GitLab by `PUT` below the merge request.
async fn services() -> (String, Shared) {
    let comments = Shared::default();
    comments.lock().unwrap().0 = (1..=120).map(|id| (id, "looks good".to_owned())).collect();
    let router = Router::new()
        .route(
            "/repos/shop/checkout/issues/7/comments",
            get(list).post(create),
        )
        .route("/repos/shop/checkout/issues/comments/{id}", patch(edit))
        .route(
            "/api/v4/projects/12/merge_requests/7/notes",
            get(list).post(create),
        )
        .route("/api/v4/projects/12/merge_requests/7/notes/{id}", put(edit))
        .with_state(Arc::clone(&comments));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, comments)
}

struct Scene {
    folder: TempDir,
    server: Aggregator,
}

impl Scene {
    /// A server that knows `checkout`: it used 200 of 512 MB at most, so 220 MB are safe.
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plain = sample::reports("checkout").unwrap();
        let mut row = plain.reports[0];
        row.max_used_mb = Some(Megabytes(200));
        let day = |n: u64| Reports {
            env: EnvId(n),
            t0: plain.t0.plus_ms(i64::try_from(n).unwrap() * 86_400_000),
            reports: vec![row; 10],
            total: 10,
            ..plain.clone()
        };
        let lines: Vec<Vec<u8>> = (1..=15).map(|n| sample::bytes(day(n))).collect();
        let file = folder.path().join("reports.jsonl");
        std::fs::write(&file, lines.join(&b'\n')).unwrap();
        let store = folder.path().join("rightsizer.db");
        let import = [
            "import",
            "--store",
            store.to_str().unwrap(),
            file.to_str().unwrap(),
        ];
        assert!(rightsizer(&import).await.unwrap().status.success());
        let log = folder.path().join("serve.log");
        let arguments = ["--clock", "event", "--review-token", TOKEN];
        let server = Aggregator::start(&store, &arguments, &[], Some(&log))
            .await
            .unwrap();
        Self { folder, server }
    }

    fn template(&self, mb: u32) {
        let text = format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Checkout:\n    Type: AWS::Serverless::Function\n    \
             Properties:\n      FunctionName: checkout\n      MemorySize: {mb}\n"
        );
        std::fs::write(self.folder.path().join("template.yaml"), text).unwrap();
    }

    /// Runs the script of a file as the service does, with these variables, `rightsizer` on its path.
    async fn job(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let binary = binary().unwrap();
        let path = std::env::var("PATH").unwrap();
        Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(self.folder.path())
            .env(
                "PATH",
                format!("{}:{path}", binary.parent().unwrap().display()),
            )
            .env(
                "RIGHTSIZER_SERVER",
                format!("{}/{TOKEN}", self.server.endpoint()),
            )
            .env_remove("GITHUB_ACTIONS")
            .env_remove("GITLAB_CI")
            .env("TEMPLATE", "template.yaml")
            .env("FORMAT", "sam")
            .envs(variables.iter().copied())
            .output()
            .await
            .unwrap()
    }
}

/// The value of a file of `infra/pull-request` at a path of keys, by another reader of YAML than ours.
async fn script(file: &str, keys: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python: PathBuf = root.join(".tools/python/bin/python");
    let read = format!(
        "import sys, yaml; value = yaml.safe_load(open(sys.argv[1])){keys}; \
         print(value if isinstance(value, str) else '\\n'.join(value))"
    );
    let file = root.join("infra/pull-request").join(file);
    let done = Command::new(python)
        .arg("-c")
        .arg(read)
        .arg(file)
        .output()
        .await
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// A size below the safe one fails and is commented on; once it is safe, the same comment is edited.
async fn checked(scene: &Scene, script: &str, variables: &[(&str, &str)], comments: &Shared) {
    let own = || -> Vec<String> {
        let comments = comments.lock().unwrap();
        comments
            .0
            .iter()
            .skip(120)
            .map(|(_, body)| body.clone())
            .collect()
    };
    scene.template(128);
    for _ in 0..2 {
        let below = scene.job(script, variables).await;
        assert_eq!(below.status.code(), Some(1), "{below:?}");
        let found = own();
        assert_eq!(found.len(), 1, "{found:#?}");
        let row = "| checkout | line 7 | **below** 128 MB is below the safe size of 220 MB |";
        assert!(found[0].contains(row), "{}", found[0]);
    }
    scene.template(256);
    let safe = scene.job(script, variables).await;
    assert_eq!(safe.status.code(), Some(0), "{safe:?}");
    let found = own();
    assert!(
        found.len() == 1 && found[0].contains("every known function has a safe size"),
        "{found:#?}"
    );
    // A token that may not comment fails the job, and is in no output.
    let wrong: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| {
            (
                *name,
                if *value == COMMENTER {
                    "token-of-another"
                } else {
                    *value
                },
            )
        })
        .collect();
    let refused = scene.job(script, &wrong).await;
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(
        text.contains("the comment was not accepted: 401") && !text.contains("token-of-another"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_comments_once_and_fails_below_the_safe_size() {
    let (scene, (address, comments)) = tokio::join!(Scene::set(), services());
    let run = script("action.yml", "['runs']['steps'][0]['run']").await;
    let environment = script(
        "action.yml",
        "['runs']['steps'][0]['env'].items(); value = [f'{name}={text}' for name, text in value]",
    )
    .await;
    let wanted = [
        "RIGHTSIZER_SERVER=${{ inputs.server }}",
        "TEMPLATE=${{ inputs.template }}",
        "FORMAT=${{ inputs.format }}",
        "GITHUB_TOKEN=${{ inputs.token }}",
    ];
    assert_eq!(
        environment.lines().collect::<Vec<_>>(),
        wanted,
        "what the script gets"
    );
    let summary = scene.folder.path().join("summary.md");
    let temporary = scene.folder.path().to_str().unwrap().to_owned();
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_API_URL", &address),
        ("GITHUB_REPOSITORY", "shop/checkout"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_TOKEN", COMMENTER),
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ("RUNNER_TEMP", &temporary),
    ];
    checked(&scene, &run, &variables, &comments).await;
    let summary = std::fs::read_to_string(&summary).unwrap();
    assert!(summary.contains("**below** 128 MB"), "{summary}");

    // On a branch there is nothing to comment on, and the check fails all the same.
    scene.template(128);
    let before = comments.lock().unwrap().0.clone();
    let mut branch = variables;
    branch[3].1 = "refs/heads/main";
    let checked = scene.job(&run, &branch).await;
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&checked.stderr).contains("not for a pull request"));
    assert_eq!(comments.lock().unwrap().0, before);
    assert!(scene.server.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_comments_once_and_fails_below_the_safe_size() {
    let (scene, (address, comments)) = tokio::join!(Scene::set(), services());
    let run = script("gitlab.yml", "['rightsizer']['script']").await;
    let api = format!("{address}/api/v4");
    let variables = [
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", api.as_str()),
        ("CI_PROJECT_ID", "12"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("COMMENT_TOKEN", COMMENTER),
    ];
    checked(&scene, &run, &variables, &comments).await;
    assert!(scene.server.stop().await.unwrap().success());
}
