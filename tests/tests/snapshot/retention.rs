//! A snapshot that is older than what the stream keeps.

use std::path::Path;

use rightsizer::snapshot::{Packed, pack};
use rusqlite::Connection;

use super::stage::{Disk, HEAD, Scene, health, until, until_saved};

const HOUR_MS: i64 = 3_600_000;

/// Sets each shard of the reports stream in a store to read until `at_ms`.
fn read_until(store: &Path, at_ms: i64) -> usize {
    let store = Connection::open(store).unwrap();
    let sql = "UPDATE checkpoints
        SET position = substr(position, 1, instr(position, ';') - 1) || ';at=' || ?1 || ';to=' || ?1
        WHERE source LIKE 'kinesis:reports%' AND instr(position, ';') > 0";
    store.execute(sql, [at_ms]).unwrap()
}

impl Scene {
    /// Writes `store` in the place of the newest snapshot.
    async fn replace_newest(&self, store: &Path) {
        let mut bytes = Vec::new();
        let packed = pack(store, usize::MAX, |part| {
            bytes.extend(part.bytes);
            Ok(())
        });
        let packed: Packed = packed.unwrap();
        let mut head = self.head().await;
        let newest = &mut head["snapshots"][0];
        newest["bytes"] = packed.bytes.into();
        newest["store_bytes"] = packed.store_bytes.into();
        newest["blake3"] = packed.blake3.into();
        let key = format!("evidence/prod/{}", newest["key"].as_str().unwrap());
        self.s3.put_object(&key, bytes).await.unwrap();
        let head = serde_json::to_vec(&head).unwrap();
        self.s3.put_object(HEAD, head).await.unwrap();
    }
}

/// Three days lie between the snapshot and the next task, and the stream keeps one: what is lost in
/// between is recorded with its times, reported, and kept in later snapshots.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_dropped_since_the_snapshot_is_a_gap() {
    let mut scene = Scene::set().await;
    let first = Disk::new();
    let serve = scene.serve(&first).await;
    scene.put_story(60).await;
    scene.all_arrived(&first).await;
    until_saved(&serve, &first).await;
    assert!(serve.stop().await.unwrap().success());
    let now = rightsizer_aws::clock::now().as_ms();
    let shards = read_until(&first.store(), now - 72 * HOUR_MS);
    assert_eq!(shards, 2);
    scene.replace_newest(&first.store()).await;

    scene.put_story(30).await;
    let second = Disk::new();
    let serve = scene.serve(&second).await;
    scene.all_arrived(&second).await;
    let health_gaps = health(&serve).await["gaps"].clone();
    until("the gaps are stored", &second, async || {
        gaps(&second.store()).len() == shards
    })
    .await;
    for (from, to) in gaps(&second.store()) {
        assert_eq!(from, now - 72 * HOUR_MS);
        let end = to - (now - 24 * HOUR_MS);
        assert!(
            (0..10 * 60_000).contains(&end),
            "{end} ms after what is kept begins"
        );
    }
    assert!(
        second.log().contains("a gap in kinesis:reports"),
        "{}",
        second.log()
    );
    assert_eq!(
        health_gaps.as_array().map_or(0, Vec::len),
        shards,
        "{health_gaps}"
    );
    until_saved(&serve, &second).await;
    serve.kill().await.unwrap();
    // What is still there is counted once.
    assert_eq!(second.evidence(), scene.unharmed().await.evidence());
    let third = Disk::new();
    let serve = scene.serve(&third).await;
    assert_eq!(gaps(&third.store()).len(), shards);
    assert!(serve.stop().await.unwrap().success());
}

/// From when to when something was dropped.
fn gaps(store: &Path) -> Vec<(i64, i64)> {
    let store = Connection::open(store).unwrap();
    let mut gaps = store.prepare("SELECT from_ms, to_ms FROM gaps").unwrap();
    let rows = gaps.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}
