//! What another engine has to know waits in the store, each piece of news once.

use rightsizer_records::{News, Notice, decode};
use rightsizer_rules::commands::Action;

use super::*;

impl Case {
    /// Takes what waits, in its order.
    fn take_notices(&mut self) -> Vec<Notice> {
        let waiting = self.pipeline().notices(100).unwrap();
        let keys: Vec<String> = waiting.iter().map(|one| one.key.clone()).collect();
        self.pipeline().notices_sent(&keys).unwrap();
        let read = |record: &[u8]| match decode(record) {
            Ok(Record::Notice(notice)) => notice,
            other => panic!("{other:?} waits"),
        };
        let notices = waiting.iter().map(|one| {
            let notice = read(&one.record);
            assert_eq!(one.function, notice.function);
            notice
        });
        notices.collect()
    }

    fn news(&mut self) -> Vec<String> {
        let short = |notice: Notice| {
            let name = notice.function.rsplit(':').next().unwrap().to_owned();
            let news = match notice.news {
                News::Listed(listing) => format!("{}, {:?}", listing.memory_mb, listing.alarm),
                other => format!("{other:?}"),
            };
            format!("{name}: {news}")
        };
        self.take_notices().into_iter().map(short).collect()
    }
}

/// Refreshes at 00:10, 00:20, … of one half of a day: a fact that did not change is not sent again before 12:00.
#[test]
fn a_refresh_notices_what_changed_and_repeats_the_rest_twice_a_day() {
    let mut case = Case::with_proposals();
    case.list(facts(arn("f"), 512), "2026-05-01T00:10:00Z", true);
    assert_eq!(case.news(), ["f: 512 MB, None"]);
    case.list(facts(arn("f"), 512), "2026-05-01T00:20:00Z", true);
    assert_eq!(case.news(), [""; 0]);
    let ringing = FunctionFacts {
        alarm: Some("errors".to_owned()),
        ..facts(arn("f"), 512)
    };
    case.list(ringing, "2026-05-01T00:30:00Z", true);
    case.list(facts(arn("f"), 640), "2026-05-01T00:40:00Z", false);
    assert_eq!(
        case.news(),
        ["f: 512 MB, Some(\"errors\")", "f: 640 MB, None"]
    );
    case.list(facts(arn("f"), 640), "2026-05-01T12:00:00Z", false);
    assert_eq!(case.news(), ["f: 640 MB, None"]);
    case.list(facts(arn("g"), 128), "2026-05-01T12:10:00Z", true);
    assert_eq!(case.news(), ["g: 128 MB, None", "f: Gone"]);
}

#[test]
fn commands_that_change_what_is_kept_are_noticed_with_the_whole_name() {
    let mut case = Case::with_proposals();
    case.report(reports("f", 1, "2026-05-01T10:00:00Z", 512, 100, 5));
    let what = || "f".to_owned();
    case.review(Action::Clear { what: what() }).unwrap();
    case.review(Action::Hold {
        what: what(),
        days: 3,
    })
    .unwrap();
    case.review(Action::Forget { what: what() }).unwrap();
    assert!(case.review(Action::Forget { what: what() }).is_err());
    assert_eq!(
        case.news(),
        ["f: Cleared { through: Day(20605) }", "f: Forgotten"]
    );
}

#[test]
fn without_another_engine_nothing_waits() {
    let mut case = Case::new();
    case.know("f", "code", "2026-05-01T00:00:00Z");
    assert!(case.pipeline().notices(1).unwrap().is_empty());
}
