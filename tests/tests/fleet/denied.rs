//! A first hour without a permission: each message has what to do, and nothing is tried on a whole fleet in vain.

use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::FaultProxy;

use crate::account::Account;

/// Returns the call of a function by its ARN, as Lambda's API spells it.
fn call(method: &str, function: &str, rest: &str) -> &'static str {
    let arn = format!("arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3A{function}");
    format!("{method} /2015-03-31/functions/{arn}{rest}").leak()
}

/// Five functions, and a proxy before their account.
async fn fleet() -> (Account, FaultProxy, Vec<(String, String)>) {
    let account = Account::open().await;
    for n in 0..5 {
        account.create(&format!("f{n}"), &[], &[]).await;
    }
    let proxy = FaultProxy::before(account.moto.endpoint()).await.unwrap();
    let environment = account.by_way_of("LAMBDA", proxy.endpoint());
    (account, proxy, environment)
}

/// Runs a command; returns its exit code and what it prints on both outputs.
async fn run(
    account: &Account,
    environment: &[(String, String)],
    words: &[&str],
) -> (Option<i32>, String) {
    let mut arguments = vec![words[0], "--layer", &account.layer, "--stream", "reports"];
    arguments.extend(&words[1..]);
    let output = rightsizer_with(&arguments, environment).await.unwrap();
    let printed = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&printed).into_owned(),
    )
}

const IN_WAVES: [&str; 6] = ["attach", "--all", "--yes", "--settle", "0", "--waves"];

/// One function may have a reason of its own; a wave of several that is refused ends the run.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_may_not_be_changed_is_not_tried_to_its_end() {
    let (account, proxy, environment) = fleet().await;
    let writes: Vec<&str> = (0..5)
        .map(|n| call("PUT", &format!("f{n}"), "/configuration"))
        .collect();
    for write in &writes {
        proxy.always_refuse(write, "AccessDeniedException");
    }
    let before = account.configurations().await;
    let attach = [&IN_WAVES[..], &["1,3"]].concat();
    let (code, text) = run(&account, &environment, &attach).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("error: stopped; 0 functions changed, 1 function not: none of this wave"),
        "{text}"
    );
    assert!(
        text.contains(
            "hint: allow lambda:GetFunction, lambda:ListTags and lambda:UpdateFunctionConfiguration"
        ),
        "{text}"
    );
    assert!(!text.contains("looking for failures"), "{text}");
    // moto plays no simulation, so the roles are not checked.
    assert!(
        text.contains("hint: roles of the stream's own account need nothing if"),
        "{text}"
    );
    // The waves of one and of three.
    let tried: usize = writes.iter().map(|write| proxy.calls(write)).sum();
    assert_eq!(tried, 4);
    assert_eq!(account.configurations().await, before);

    // The first has a reason of its own: the others are changed.
    proxy.mend();
    proxy.always_refuse(writes[0], "AccessDeniedException");
    let (code, text) = run(&account, &environment, &attach).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(!text.contains("error: stopped"), "{text}");
    let changed = account.configurations().await;
    let same = changed.iter().filter(|(name, of)| before[*name] == **of);
    assert_eq!(same.count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_has_its_permission() {
    let (account, proxy, environment) = fleet().await;
    for n in 0..5 {
        let read = call("GET", &format!("f{n}"), "");
        proxy.always_refuse(read, "AccessDeniedException");
    }
    let (code, text) = run(&account, &environment, &["attach", "--all"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("hint: allow lambda:GetFunction"), "{text}");
    proxy.mend();
    // A misspelt name has nothing to do with permissions.
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    std::fs::write(&list, "f9\n").unwrap();
    let list = list.to_str().unwrap();
    let (code, text) = run(&account, &environment, &["attach", "--file", list]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(!text.contains("hint: allow"), "{text}");
}

/// Without the figures between two waves, nothing is changed blindly.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_look_at_the_first_wave_nothing_is_changed() {
    let (account, ..) = fleet().await;
    let before = account.configurations().await;
    let nowhere = account.by_way_of("CLOUDWATCH", "http://127.0.0.1:1");
    let attach = [&IN_WAVES[..], &["1,3"]].concat();
    let (code, text) = run(&account, &nowhere, &attach).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("5 functions not: cannot check the changed functions for failures"),
        "{text}"
    );
    assert!(
        text.contains("hint: nothing responded: check the region"),
        "{text}"
    );
    assert!(!text.contains("to remove the layer"), "{text}");
    assert_eq!(account.configurations().await, before);
}

/// Lambda reads a layer in its own region only, so a layer of another one would look like one that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_layer_of_another_region_is_called_so() {
    let (account, proxy, environment) = fleet().await;
    let attach = ["attach", "--all", "--region", "eu-west-1"];
    let (code, text) = run(&account, &environment, &attach).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("error: no layer is in eu-west-1"), "{text}");
    assert!(text.contains("hint: check --region"), "{text}");
    assert_eq!(proxy.called(), Vec::<String>::new());
}
