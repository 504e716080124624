//! Functions of several regions in one store: `list` and `approve` show where each one is.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod folder;

use std::collections::HashSet;

use folder::{CommandOutput, Folder};

/// 80 invocations that use 90 of 1024 MB.
fn export(of: &str) -> String {
    let line = |n: u32| {
        let at = i64::from(n) * 1000 + 1_769_904_000_000;
        let report = format!(
            "REPORT RequestId: {n:08x}-0000-4000-8000-000000000000\\tDuration: 12.00 ms\\tBilled Duration: 12 ms\\t\
             Memory Size: 1024 MB\\tMax Memory Used: 90 MB\\t\\n"
        );
        format!("{{\"eventId\":\"{of}{n}\",\"timestamp\":{at},\"message\":\"{report}\"}}")
    };
    let lines: Vec<String> = (0..80).map(line).collect();
    format!("{{\"events\":[{}]}}", lines.join(","))
}

/// A function in each of these regions, and one whose region is not known.
fn fleet(regions: &[&str]) -> Folder {
    let folder = Folder::new();
    for region in regions {
        let name = format!("checkout-{}.json", &region[..2]);
        folder.file(&name, export(region));
        assert_eq!(folder.run(&["import", &name]).code(), 0);
        let place = ["--account", "123456789012", "--region", region];
        let output = folder.run(&[&["adopt"], &place[..]].concat());
        assert_eq!(output.code(), 0, "{}", output.err());
    }
    folder.file("somewhere.json", export("none"));
    assert_eq!(folder.run(&["import", "somewhere.json"]).code(), 0);
    folder
}

/// Runs a command in the region of the first function, on a terminal of this width.
fn run(folder: &Folder, arguments: &[&str], columns: &str) -> CommandOutput {
    let mut command = folder.command(arguments);
    command.env("AWS_REGION", "eu-west-1");
    command.env("COLUMNS", columns);
    CommandOutput::of(&mut command, b"")
}

#[test]
fn all_regions_of_a_store_are_listed_each_with_its_region() {
    let folder = fleet(&["eu-west-1", "us-east-1"]);
    for (form, of_both) in [
        ("table", ["  eu-west-1", "  us-east-1"]),
        ("markdown", ["| eu-west-1", "| us-east-1"]),
        ("csv", [",eu-west-1,", ",us-east-1,"]),
        (
            "json",
            ["\"region\": \"eu-west-1\"", "\"region\": \"us-east-1\""],
        ),
        ("html", ["eu-west-1 · ", "us-east-1 · "]),
    ] {
        let list = run(&folder, &["list", "--all-regions", "-o", form], "80");
        assert_eq!(list.code(), 0, "{}", list.err());
        let text = list.out();
        for region in of_both {
            assert!(text.contains(region), "{form}: no {region}\n{text}");
        }
        assert!(text.contains("somewhere"), "{text}");
        // It is what `list` does without a region.
        assert_eq!(
            without_time(&text),
            without_time(&run(&folder, &["list", "-o", form], "80").out())
        );
    }
    let list = folder.run(&["list", "--all-regions", "--json"]).json();
    let regions: HashSet<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["region"].as_str())
        .collect();
    assert_eq!(regions, [Some("eu-west-1"), Some("us-east-1"), None].into());
    let one = run(&folder, &["list", "--region", "us-east-1"], "80").out();
    assert!(
        one.contains("checkout-us") && !one.contains("checkout-eu"),
        "{one}"
    );
    assert!(!one.contains("REGION"), "{one}");
}

/// A page has the time at which it was made.
fn without_time(text: &str) -> String {
    text.lines().filter(|line| !line.contains("202")).collect()
}

#[test]
fn a_region_and_all_regions_exclude_each_other() {
    let folder = fleet(&["eu-west-1"]);
    for command in ["list", "approve"] {
        let both = [command, "--all-regions", "--region", "eu-west-1"];
        let output = folder.run(&both);
        assert_eq!(output.code(), 2, "{}", output.out());
        assert!(
            output
                .err()
                .contains("'--all-regions' cannot be used with '--region"),
            "{}",
            output.err()
        );
    }
    // It selects nothing by itself.
    assert_eq!(folder.run(&["approve", "--all-regions"]).code(), 2);
}

#[test]
fn an_approval_in_several_regions_shows_the_region_of_each() {
    let folder = fleet(&["eu-west-1", "us-east-1"]);
    let shown = folder.run(&["approve", "checkout*", "--all-regions"]).out();
    for function in [
        "checkout-eu (eu-west-1): 1024",
        "checkout-us (us-east-1): 1024",
    ] {
        assert!(shown.contains(function), "{shown}");
    }
    let one = folder
        .run(&["approve", "checkout*", "--region", "eu-west-1"])
        .out();
    assert!(
        one.contains("checkout-eu: 1024") && !one.contains("us-east-1"),
        "{one}"
    );
}

#[test]
fn a_filter_that_nothing_can_have_is_refused() {
    let folder = fleet(&["eu-west-1"]);
    for wrong in [["--account", "12"], ["--tag", "=x"], ["--limit", "0"]] {
        let output = folder.run(&[&["list"], &wrong[..]].concat());
        assert_eq!(output.code(), 2, "{wrong:?}: {}", output.out());
    }
}
