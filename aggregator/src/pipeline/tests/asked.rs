//! What needs a person: functions to forget, and increases beyond the dollars of a day.

use rightsizer_rules::commands::Action;
use rightsizer_store::inspect::stops;

use super::*;

impl Case {
    fn with_limits(limits: &str) -> Self {
        let mut case = Self::on_the_wall();
        case.settings = Settings::parse(&format!("[limits]\n{limits}")).unwrap();
        case.restart();
        case
    }
}

/// 10 % of a fleet are 10 of 100 that are known, not 110 of 1100.
#[test]
fn strangers_do_not_count_in_the_fleet() {
    let mut case = Case::on_the_wall();
    case.strangers_run_out(1000);
    let now = case.now;
    let unit = case.pipeline().store.begin().unwrap();
    assert_eq!(unit.sending().known_fleet(now).unwrap(), 0);
}

#[test]
fn a_person_has_a_function_forgotten() {
    let mut case = Case::on_the_wall();
    case.runs_out("f", 2, 128);
    case.runs_out("g", 2, 128);
    let what = "f".to_owned();
    let done = case.review(Action::Forget { what: what.clone() }).unwrap();
    assert!(done.message.starts_with("forgotten: "), "{}", done.message);
    for table in [
        "functions",
        "peaks",
        "days",
        "environments",
        "recommendations",
    ] {
        assert_eq!(
            case.count(&format!(
                "SELECT count(DISTINCT {}) FROM {table}",
                if table == "functions" {
                    "id"
                } else {
                    "function_id"
                }
            )),
            1,
            "{table}"
        );
    }
    assert!(case.review(Action::Forget { what }).is_err());
    case.runs_out("f", 3, 128);
    assert_eq!(case.line("f").seen, 1, "it starts as a new function");
    case.restart();
    case.runs_out("h", 3, 128);
    assert_eq!(case.count("SELECT count(*) FROM functions"), 3);
}

/// Beyond the dollars of a day strangers wait for a person, what is known and ran out does not.
#[test]
fn beyond_the_dollars_of_a_day_strangers_wait_and_it_is_reported() {
    let mut case = Case::with_limits("increase_usd_per_day = 1");
    let now = case.now.to_string();
    for n in 0..40 {
        case.know_size(
            arn(&format!("real{n}")),
            1024,
            "code",
            &now,
            Tags::default(),
        );
        case.runs_out(&format!("real{n}"), 2, 1024);
    }
    case.strangers_run_out(5);
    let sent = case.sent_names();
    assert!(
        sent.len() == 40 && sent.iter().all(|name| name.starts_with("real")),
        "{sent:?}"
    );
    let waits = stops(&case.path()).unwrap().waits.unwrap();
    assert!(
        waits.contains("increases") && waits.contains('$'),
        "{waits}"
    );
    case.restart();
    assert_eq!(case.sent_names().len(), 0);
    case.review(Action::Approve {
        what: "bogus1".into(),
    })
    .unwrap();
    assert_eq!(case.sent_names(), ["bogus1"], "a person's yes");
}
