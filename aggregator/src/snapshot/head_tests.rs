use super::*;
use rightsizer_rules::commands::{Action, ReviewCommand};

const KEEP: Retention = Retention { newest: 2, days: 3 };

fn taker(name: &str) -> Taker {
    Taker {
        holder: format!("rightsizer of {name}"),
        copy: name.to_owned(),
    }
}

fn snapshot(head: &Head, at: &str, commands: u64) -> Snapshot {
    let sequence = head.next_sequence();
    Snapshot {
        key: snapshot_key(&head.lineage, head.epoch, sequence),
        epoch: head.epoch,
        sequence,
        taken_at: Timestamp::parse(at).unwrap(),
        bytes: 1,
        store_bytes: 2,
        blake3: "00".to_owned(),
        commands,
        schema: 8,
    }
}

fn command(number: u64) -> AppliedCommand {
    AppliedCommand {
        number,
        at: Timestamp::parse("2026-03-01T10:00:00Z").unwrap(),
        command: ReviewCommand {
            action: Action::Pause,
            by: "ann".to_owned(),
            why: String::new(),
        },
    }
}

fn with(head: &Head, edit: &Edit) -> Head {
    head.edited(edit, KEEP).unwrap()
}

fn taken(head: &Head, at: &str, commands: u64) -> Head {
    with(head, &Edit::Snapshot(snapshot(head, at, commands)))
}

/// Three snapshots of a new version push out those of the one before it, but not the last of them.
#[test]
fn the_last_snapshot_before_an_upgrade_stays_for_a_day_with_the_words_since() {
    let of = |head: &Head, at: &str, commands: u64, schema: i64| {
        let snapshot = Snapshot {
            schema,
            ..snapshot(head, at, commands)
        };
        with(head, &Edit::Snapshot(snapshot))
    };
    let head = Head::first("l".to_owned(), taker("a"));
    let head = of(&head, "2026-03-01T10:00:00Z", 0, 7);
    let mut head = of(&head, "2026-03-01T10:05:00Z", 1, 7);
    head = with(&head, &Edit::Commands(vec![command(2)]));
    for minute in ["10", "15", "20"] {
        head = of(&head, &format!("2026-03-01T10:{minute}:00Z"), 2, 8);
    }
    let kept = |head: &Head| -> Vec<(u64, i64)> {
        let all = head.snapshots.iter();
        all.map(|snapshot| (snapshot.sequence, snapshot.schema))
            .collect()
    };
    // Two newest, and the last of schema 7: the command after it is still to be carried out.
    assert_eq!(kept(&head), [(5, 8), (4, 8), (2, 7)]);
    assert_eq!(head.commands.len(), 1);
    // 24 hours and 5 minutes later no start can go back to it; it is the last of its day until then.
    head = of(&head, "2026-03-02T10:05:00Z", 2, 8);
    assert_eq!(kept(&head), [(6, 8), (5, 8), (2, 7)]);
    head = of(&head, "2026-03-02T10:10:00Z", 2, 8);
    assert_eq!(kept(&head), [(7, 8), (6, 8), (5, 8)]);
    assert_eq!(head.commands, []);
}

#[test]
fn it_crosses_json_and_a_newer_one_is_refused() {
    let head = Head::first("l".to_owned(), taker("a"));
    let head = taken(
        &with(&head, &Edit::Commands(vec![command(1)])),
        "2026-03-01T10:00:00Z",
        0,
    );
    let bytes = head.encode().unwrap();
    assert_eq!(Head::decode(&bytes).unwrap(), head);
    // The keys of heads and snapshots that are in buckets.
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(json["words"][0]["number"], 1);
    assert_eq!(json["snapshots"][0]["words"], 0);
    let newer = String::from_utf8(bytes)
        .unwrap()
        .replace("\"v\": 1", "\"v\": 2");
    assert_eq!(Head::decode(newer.as_bytes()), Err(HeadError::Newer(2)));
    assert!(matches!(Head::decode(b"{}"), Err(HeadError::Unreadable(_))));
}

#[test]
fn an_edit_made_twice_is_made_once() {
    let head = Head::first("l".to_owned(), taker("a"));
    let made = snapshot(&head, "2026-03-01T10:00:00Z", 0);
    for edit in [
        Edit::Commands(vec![command(1), command(2)]),
        Edit::Snapshot(made),
        Edit::Release,
    ] {
        let once = with(&head, &edit);
        assert_ne!(once.revision, head.revision);
        assert_eq!(once.edited(&edit, KEEP), None, "{edit:?}");
    }
    // A write whose answer was lost: the next one has more in it.
    let once = with(&head, &Edit::Commands(vec![command(1)]));
    let more = with(&once, &Edit::Commands(vec![command(1), command(2)]));
    assert_eq!(more.commands, [command(1), command(2)]);
}

/// Two people at once: who was answered second may be first at the head. Their order is the store's.
#[test]
fn words_are_kept_whatever_their_order_of_arrival() {
    let head = Head::first("l".to_owned(), taker("a"));
    let late = with(&head, &Edit::Commands(vec![command(2)]));
    let late = with(&late, &Edit::Commands(vec![command(1)]));
    let together = with(&head, &Edit::Commands(vec![command(2), command(1)]));
    for head in [late, together] {
        assert_eq!(head.commands, [command(1), command(2)]);
    }
    // The only snapshot has both in it.
    let stored = taken(&head, "2026-03-01T10:00:00Z", 2);
    assert_eq!(stored.edited(&Edit::Commands(vec![command(2)]), KEEP), None);
}

#[test]
fn taking_over_changes_who_and_nothing_else() {
    let head = taken(
        &Head::first("l".to_owned(), taker("a")),
        "2026-03-01T10:00:00Z",
        0,
    );
    let head = with(&head, &Edit::Release);
    let next = head.taken_over(taker("b"));
    assert!(next.epoch == 2 && !next.released && next.copy == "b");
    assert_eq!(
        (&next.snapshots, &next.lineage),
        (&head.snapshots, &head.lineage)
    );
    assert!(!next.is_of(&head) && next.is_of(&next.taken_over(taker("b")).clone_at(2)));
}

impl Head {
    fn clone_at(&self, epoch: u64) -> Self {
        Self {
            epoch,
            ..self.clone()
        }
    }
}

/// Two newest, and the last of each of three days: of 6 + 2 snapshots, the 1st of the 4th and both …
#[test]
fn the_newest_and_the_last_of_each_day_are_kept() {
    let mut head = Head::first("l".to_owned(), taker("a"));
    for day in 1..=4 {
        for hour in [8, 12] {
            head = taken(&head, &format!("2026-03-{day:02}T{hour:02}:00:00Z"), 0);
        }
    }
    let kept: Vec<_> = head.snapshots.iter().map(|s| s.sequence).collect();
    // The newest two are of the 4th; then the last of the 3rd and of the 2nd.
    assert_eq!(kept, [8, 7, 6, 4]);
    assert_eq!(head.next_sequence(), 9);
}

#[test]
fn words_are_kept_back_to_the_oldest_snapshot_that_a_start_may_use() {
    let mut head = Head::first("l".to_owned(), taker("a"));
    for number in 1..=4 {
        head = with(&head, &Edit::Commands(vec![command(number)]));
        head = taken(
            &head,
            &format!("2026-03-01T{:02}:00:00Z", 8 + number),
            number,
        );
    }
    // The two newest have 3 and 4 commands in them.
    assert_eq!(head.commands, [command(4)]);
}

#[test]
fn what_no_head_names_is_left_over_unless_it_may_be_under_way() {
    let head = taken(
        &Head::first("l".to_owned(), taker("a")),
        "2026-03-01T10:00:00Z",
        0,
    );
    let head = taken(&head.taken_over(taker("b")), "2026-03-01T11:00:00Z", 0);
    let keys: Vec<String> = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1)]
        .map(|(epoch, sequence)| snapshot_key("l", epoch, sequence))
        .into();
    let of_another_history = snapshot_key("k", 1, 2);
    let others = [
        "snapshots/notes.txt",
        "snapshots/0000000001-0000000002.db.zst",
        &of_another_history,
        "head.json",
    ];
    let all = keys.iter().map(String::as_str).chain(others);
    // (1, 1) and (2, 2) are in the head, (2, 3) may be under way, epoch 3 belongs to another task.
    assert_eq!(left_over(&head, all), [&keys[1], &keys[2]]);
}

/// Only a task that recorded its stop, or that wrote to the same file, certainly sends nothing.
#[test]
fn the_previous_holder_may_still_be_sending_unless_it_recorded_its_stop() {
    let before = Head::first("l".to_owned(), taker("a"));
    assert!(before.may_still_send(&before.taken_over(taker("b"))));
    assert!(!before.may_still_send(&before.taken_over(taker("a"))));
    let ended = with(&before, &Edit::Release);
    assert!(!ended.may_still_send(&ended.taken_over(taker("b"))));
}
