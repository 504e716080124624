//! What the page refuses.

use reqwest::StatusCode;

use crate::scene::{Scene, TOKEN};
use crate::visitor::{Visitor, client, header};

/// The paths of all pages.
const PATHS: [&str; 7] = [
    "/",
    "/ui/review",
    "/ui/health",
    "/ui/function?name=x",
    "/ui/guide/ALGORITHM",
    "/ui/histogram?name=x&size=1&of=used",
    "/ui/enter?code=0",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_there_is_a_form_and_nothing_of_the_fleet() {
    let scene = Scene::start().await;
    let (client, address) = (client(), scene.server.endpoint());
    for path in PATHS {
        let answer = client.get(format!("{address}{path}")).send().await.unwrap();
        let wanted = if path.contains("code=") {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::OK
        };
        assert_eq!(answer.status(), wanted, "{path}");
        let policy = header(&answer, "content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(header(&answer, "x-frame-options"), "DENY");
        let page = answer.text().await.unwrap();
        assert!(page.contains("action=\"/ui/sign-in\""), "{path}");
        for leak in ["checkout", "123456789012", TOKEN] {
            assert!(!page.contains(leak), "{leak} on {path}");
        }
    }
    let events = client
        .get(format!("{address}/ui/events"))
        .send()
        .await
        .unwrap();
    assert_eq!(events.status(), StatusCode::FORBIDDEN);
    scene.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one refusal after another")]
async fn a_request_from_elsewhere_changes_nothing() {
    let scene = Scene::start().await;
    let address = scene.server.endpoint();
    let visitor = Visitor::sign_in(address).await;
    let csrf = &visitor.csrf;
    let post = |form: String| visitor.post("/ui/decide", form);
    let pause = format!("action=pause&csrf={csrf}");
    for (what, request, wanted) in [
        (
            "no token of the form",
            post("action=pause".to_owned()),
            StatusCode::FORBIDDEN,
        ),
        (
            "another token",
            post("action=pause&csrf=guess".to_owned()),
            StatusCode::FORBIDDEN,
        ),
        (
            "another origin",
            post(pause.clone()).header("origin", "http://evil.example"),
            StatusCode::FORBIDDEN,
        ),
        (
            "another port",
            post(pause.clone()).header("origin", "http://127.0.0.1:3000"),
            StatusCode::FORBIDDEN,
        ),
        (
            "no origin to speak of",
            post(pause.clone()).header("origin", "null"),
            StatusCode::FORBIDDEN,
        ),
        (
            "another host",
            post(pause.clone()).header("host", "evil.example"),
            StatusCode::MISDIRECTED_REQUEST,
        ),
        (
            "an unknown action",
            post(format!("action=forget&function=x&csrf={csrf}")),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        assert_eq!(request.send().await.unwrap().status(), wanted, "{what}");
        assert_eq!(
            scene.asked("SELECT value FROM state WHERE key = 'paused'"),
            None,
            "{what}"
        );
    }
    let hosts = visitor.get("").header("host", "evil.example").send().await;
    assert_eq!(hosts.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
    let done = post(pause).header("origin", address).send().await.unwrap();
    assert_eq!(
        (done.status(), header(&done, "location").as_str()),
        (StatusCode::SEE_OTHER, "/ui/review")
    );
    assert!(
        scene
            .asked("SELECT value FROM state WHERE key = 'paused'")
            .unwrap()
            .contains("by Ada")
    );
    scene.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_and_a_code_works_once() {
    let scene = Scene::start().await;
    let (client, address) = (client(), scene.server.endpoint());
    let wrong = client
        .post(format!("{address}/ui/sign-in"))
        .body("by=Ada&token=guess-the-token")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    assert_eq!(header(&wrong, "set-cookie"), "");
    let visitor = Visitor::sign_in(address).await;
    let out = visitor.post("/ui/sign-out", format!("csrf={}", visitor.csrf));
    assert_eq!(out.send().await.unwrap().status(), StatusCode::SEE_OTHER);
    let after = visitor.page("").await;
    assert!(after.contains("action=\"/ui/sign-in\""));

    let ask = |token: &str| {
        client
            .post(format!("{address}/{token}/code"))
            .json(&serde_json::json!({ "by": "Ada" }))
    };
    assert_eq!(
        ask("guess-the-token").send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    let drawn: serde_json::Value = ask(TOKEN).send().await.unwrap().json().await.unwrap();
    let enter = format!(
        "{address}/ui/enter?code={}",
        drawn["code"].as_str().unwrap()
    );
    let first = client.get(&enter).send().await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    assert!(header(&first, "set-cookie").contains("HttpOnly"));
    assert_eq!(
        client.get(&enter).send().await.unwrap().status(),
        StatusCode::FORBIDDEN,
        "used up"
    );
    scene.server.stop().await.unwrap();
}
