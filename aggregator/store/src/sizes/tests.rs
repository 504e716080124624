//! Tests of `sizes`.

use rightsizer_records::Millis;

use super::*;
use crate::open::Store;

fn histogram(values: &[(u64, u64)]) -> Vec<u8> {
    let mut some = Distribution::default();
    values
        .iter()
        .for_each(|(value, n)| some.record_many(*value, *n));
    some.to_bytes()
}

/// A store with one function, whose last report is on day 20,000.
fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("store.db"), "test").unwrap();
    let unit = store.begin().unwrap();
    let row = "INSERT INTO functions (id, function, first_ms, heard_ms, last_ms, version)
         VALUES (1, 'local:f', 0, 0, 20000 * 86400000 + 5, '$LATEST')";
    unit.tx.execute(row, []).unwrap();
    unit.commit().unwrap();
    (dir, store)
}

fn put(
    store: &mut Store,
    day: i32,
    source: i64,
    size: u32,
    version: &str,
    durations: &[(u64, u64)],
) {
    let unit = store.begin().unwrap();
    let calls: u64 = durations.iter().map(|(_, n)| n).sum();
    unit.tx
        .execute(
            "INSERT INTO days (day, function_id, source, memory_mb, version, peak_mb, invocations, errors,
                timeouts, ooms, at_limit, censored, environments, billed_ms, cpu_ms, cpu_wall_ms, durations,
                inits, used)
             VALUES (?, 1, ?, ?, ?, 90, ?, 1, 0, 0, 0, 0, 1, 5000, 600, 2000, ?, ?, ?)",
            params![
                day,
                source,
                size,
                version,
                calls.cast_signed(),
                histogram(durations),
                histogram(&[(300, 2)]),
                histogram(&[(80, calls)])
            ],
        )
        .unwrap();
    unit.commit().unwrap();
}

fn sizes(dir: &tempfile::TempDir) -> Vec<SizeUse> {
    Reader::open(&dir.path().join("store.db"))
        .unwrap()
        .sizes("local:f")
        .unwrap()
}

/// Two days of 30 invocations of 100 ms: 60 of a median of 99.5 (rounded up, they lie between 99 and 100), two
/// failures, 0.3 cores, and four starts.
#[test]
fn days_of_a_size_add_up() {
    let (dir, mut store) = store();
    for day in [19_999, 20_000] {
        put(&mut store, day, 0, 512, "$LATEST", &[(100, 30)]);
    }
    let [size] = sizes(&dir).try_into().unwrap();
    assert_eq!(
        (size.invocations, size.failures, size.billed_ms),
        (60, 2, 10_000)
    );
    let durations = size.durations.unwrap();
    assert!((durations.p50_ms - 99.5).abs() < 1e-9, "{durations:?}");
    assert!((size.cores_used.unwrap() - 0.3).abs() < 1e-9);
    assert_eq!(size.starts.unwrap().count, 4);
    assert_eq!(size.last_day.number() - size.first_day.number(), 1);
}

/// Sizes and versions never mix, days before the details and before the code changed do not count, and of a day
/// only the layer counts if it has reports.
#[test]
fn only_what_counts_is_added() {
    let (dir, mut store) = store();
    put(&mut store, 20_000, 0, 512, "$LATEST", &[(100, 30)]);
    put(&mut store, 20_000, 0, 1024, "$LATEST", &[(50, 30)]);
    put(&mut store, 20_000, 0, 512, "7", &[(90, 30)]);
    put(
        &mut store,
        20_000,
        DaySource::Import.rank(),
        512,
        "$LATEST",
        &[(10, 1000)],
    );
    put(
        &mut store,
        20_000 - DETAIL_DAYS - 1,
        0,
        512,
        "$LATEST",
        &[(10, 1000)],
    );
    put(&mut store, 19_990, 0, 256, "$LATEST", &[(10, 1000)]);
    let unit = store.begin().unwrap();
    unit.tx
        .execute("UPDATE functions SET cleared_day = 19990", [])
        .unwrap();
    unit.commit().unwrap();
    let found: Vec<(String, u32, u64)> = sizes(&dir)
        .into_iter()
        .map(|size| (size.version, size.memory_mb.0, size.invocations))
        .collect();
    let wanted = [("$LATEST", 512), ("$LATEST", 1024), ("7", 512)];
    assert_eq!(
        found,
        wanted.map(|(version, mb)| (version.to_owned(), mb, 30))
    );
}

/// On a day of the layer, which sees no start that failed, these are those of the subscription; those that a file has of
/// the same day are the same ones.
#[test]
fn starts_that_failed_come_from_logs_on_days_of_the_layer() {
    let (dir, mut store) = store();
    let sources = [DaySource::Layer, DaySource::Subscription, DaySource::Import];
    for source in sources.map(DaySource::rank) {
        put(&mut store, 20_000, source, 512, "$LATEST", &[(100, 30)]);
    }
    let unit = store.begin().unwrap();
    let failed = "UPDATE days SET failed_inits = ? WHERE source > 0";
    unit.tx
        .execute(failed, [histogram(&[(10_000, 3)])])
        .unwrap();
    unit.commit().unwrap();
    let [size] = sizes(&dir).try_into().unwrap();
    let counts = (size.invocations, size.starts.unwrap().count);
    assert_eq!((counts, size.failed_inits.unwrap().count), ((30, 2), 3));
}

/// Version 7 appears on a day on which starts take 900 ms, and 300 ms on the next. Version 6 was there on the first
/// day that is looked at, and `$LATEST` changes its code in place.
#[test]
fn the_day_of_a_deployment_is_apart() {
    let (dir, mut store) = store();
    let days = [
        (20_000 - DETAIL_DAYS, "6"),
        (19_999, "6"),
        (19_989, "$LATEST"),
        (19_990, "$LATEST"),
        (19_990, "7"),
        (19_991, "7"),
    ];
    for (day, version) in days {
        put(&mut store, day, 0, 512, version, &[(100, 30)]);
    }
    let unit = store.begin().unwrap();
    let slow = "UPDATE days SET inits = ?, firsts = 2, firsts_ms = 1200 WHERE day = 19990";
    unit.tx.execute(slow, [histogram(&[(900, 2)])]).unwrap();
    unit.commit().unwrap();
    let found = sizes(&dir);
    let by = |version| found.iter().find(|size| size.version == version).unwrap();
    assert_eq!((by("$LATEST").deployment, by("6").deployment), (None, None));
    let deployment = by("7").deployment.unwrap();
    let medians = (deployment.first_day.p50_ms, deployment.later.p50_ms);
    assert!(
        (medians.0 / 900.0 - 1.0).abs() < 0.02 && (medians.1 / 300.0 - 1.0).abs() < 0.02,
        "{medians:?}"
    );
    let firsts = by("7").firsts.unwrap();
    assert!(firsts.count == 2 && (firsts.mean_ms - 600.0).abs() < 1e-9);
}

/// Version 7 appears with an environment that takes 8 s to start. A second one within two hours takes 7 s, the third, two hours
/// after the first, 1 s. Of version 6 it is not known when it was deployed. `$LATEST` changes in place: the inventory saw that its
/// code changed at the time of its second environment.
#[test]
fn the_first_hours_after_a_deployment_are_apart() {
    let (dir, mut store) = store();
    for (day, version) in [
        (20_000 - DETAIL_DAYS, "6"),
        (20_000, "7"),
        (20_000, "$LATEST"),
    ] {
        put(&mut store, day, 0, 512, version, &[(100, 30)]);
    }
    let begin = i64::from(20_000) * 86_400_000;
    let old = begin - i64::from(DETAIL_DAYS) * 86_400_000;
    let unit = store.begin().unwrap();
    for (env, version, first, start) in [
        ("a", "7", begin, Some(8_000)),
        ("b", "7", begin + 2 * HOUR_MS - 1, Some(7_000)),
        ("c", "7", begin + 2 * HOUR_MS, Some(1_000)),
        ("d", "7", begin + 2 * HOUR_MS, None),
        ("e", "6", old, Some(8_000)),
        ("f", "6", old + 3 * HOUR_MS, Some(1_000)),
        ("g", "$LATEST", begin - 1, Some(400)),
        ("h", "$LATEST", begin, Some(8_000)),
        ("i", "$LATEST", begin + 2 * HOUR_MS - 1, Some(8_000)),
        ("j", "$LATEST", begin + 2 * HOUR_MS, Some(1_000)),
    ] {
        unit.tx
            .execute(
                "INSERT INTO environments (function_id, env, memory_mb, version, first_ms, last_ms, marks, total,
                    seen, events_dropped, days, self_kib, start_ms)
                 VALUES (1, ?, 512, ?, ?, 0, '', 0, 0, 0, '', 0, ?)",
                params![env, version, first, start],
            )
            .unwrap();
    }
    unit.commit().unwrap();
    let found = sizes(&dir);
    let by = |version| found.iter().find(|size| size.version == version).unwrap();
    let hours = by("7").first_hours.unwrap();
    assert_eq!((hours.first.count, hours.later.count), (2, 1));
    assert!(
        (hours.later.p50_ms / 1000.0 - 1.0).abs() < 0.02,
        "{hours:?}"
    );
    assert_eq!(
        (by("6").first_hours, by("$LATEST").first_hours),
        (None, None)
    );
    let unit = store.begin().unwrap();
    unit.tx
        .execute(
            "INSERT INTO inventory (function, memory_mb, timeout_s, arch, package, layers, log_group, edge_replica,
                managed_instances, snap_start, seen_ms, code_ms)
             VALUES ('local:f', 512, 3, 'arm64', 'image', '[]', '', 0, 0, 0, 0, ?)",
            [begin],
        )
        .unwrap();
    unit.commit().unwrap();
    let found = sizes(&dir);
    let latest = found.iter().find(|size| size.version == "$LATEST").unwrap();
    let hours = latest.first_hours.unwrap();
    assert_eq!((hours.first.count, hours.later.count), (2, 1));
}

#[test]
fn an_unknown_function_has_no_sizes() {
    let (dir, _store) = store();
    let reader = Reader::open(&dir.path().join("store.db")).unwrap();
    assert_eq!(reader.sizes("local:g").unwrap(), []);
}

/// A version has an architecture at a size if all of its environments that name one agree.
#[test]
fn a_size_has_the_architecture_of_its_environments() {
    let (dir, mut store) = store();
    for version in ["3", "4", "$LATEST"] {
        put(&mut store, 20_000, 0, 512, version, &[(100, 30)]);
    }
    let unit = store.begin().unwrap();
    for (env, version, arch) in [
        ("a", "3", Some("x86_64")),
        ("b", "3", None),
        ("c", "4", Some("arm64")),
        ("d", "$LATEST", Some("arm64")),
        ("e", "$LATEST", Some("x86_64")),
    ] {
        unit.tx
            .execute(
                "INSERT INTO environments (function_id, env, memory_mb, version, first_ms, last_ms, marks, total,
                    seen, events_dropped, days, arch, self_kib)
                 SELECT id, ?, 512, ?, 0, 0, '', 0, 0, 0, '', ?, 0 FROM functions",
                params![env, version, arch],
            )
            .unwrap();
    }
    unit.commit().unwrap();
    let found: Vec<(String, Option<Arch>)> = sizes(&dir)
        .into_iter()
        .map(|size| (size.version, size.arch))
        .collect();
    let wanted = [
        ("$LATEST", None),
        ("3", Some(Arch::X86_64)),
        ("4", Some(Arch::Arm64)),
    ];
    assert_eq!(
        found,
        wanted.map(|(version, arch)| (version.to_owned(), arch))
    );
}

/// The hours of `calls` invocations of `ms` each in each hour from `from` to `to` of a day.
fn timed(store: &mut Store, day: i32, size: u32, (from, to): (i64, i64), calls: u64) {
    let (mut hours, mut durations) = (Hours::default(), Vec::new());
    let start = Day::from_number(day).start();
    for hour in from..to {
        let ms = if hour < 6 { 160 } else { 100 };
        durations.push((ms, calls));
        for _ in 0..calls {
            hours.add(start.plus_ms(hour * 3_600_000 + 1), Millis::from_ms(ms));
        }
    }
    put(store, day, 0, size, "$LATEST", &durations);
    let unit = store.begin().unwrap();
    let set = "UPDATE days SET hours = ? WHERE day = ? AND memory_mb = ?";
    unit.tx
        .execute(set, params![hours.to_bytes(), day, size])
        .unwrap();
    unit.commit().unwrap();
}

/// In the night it takes 160 ms, later 100. 1024 MB only ran in a night; at the hours of both it takes 100 ms as well.
#[test]
fn sizes_are_compared_at_the_same_hours() {
    let (dir, mut store) = store();
    for day in 19_993..20_000 {
        timed(&mut store, day, 512, (0, 24), 2);
    }
    timed(&mut store, 20_000, 1024, (0, 6), 2);
    let [small, large] = sizes(&dir).try_into().unwrap();
    let p50 = |size: &SizeUse| size.durations.unwrap().p50_ms;
    assert!((p50(&large) / p50(&small) - 1.6).abs() < 0.02);
    let factors = large.hours_factor.unwrap() / small.hours_factor.unwrap();
    assert!((factors * 1.6 - 1.0).abs() < 0.015, "{factors}");
    // A day without hours, as in an older store: 48 of 384 invocations ran at unknown hours.
    put(&mut store, 19_992, 0, 512, "$LATEST", &[(100, 48)]);
    assert!(sizes(&dir).iter().all(|size| size.hours_factor.is_none()));
}
