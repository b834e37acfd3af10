//! Writers of the vault are killed at random moments; nothing that was stored is ever lost.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;

use crate::support::home::Home;

/// How many writers are killed.
const KILLS: usize = 200;

fn random_below(limit: u64) -> u64 {
    let mut bytes = [0; 8];
    SysRng.try_fill_bytes(&mut bytes).expect("random numbers");
    u64::from_le_bytes(bytes) % limit
}

#[test]
fn two_hundred_writers_killed_at_random_moments_lose_nothing() {
    let home = Home::new();
    let write = |name: &str, value: &str| home.keyfob(["set", name]).stdin(value);
    write("first", "kept").run().ok();
    // How long a whole write takes here, so that the kills fall all over it.
    let second = write("second", "kept").run();
    let mut whole = second.ok().elapsed;

    let mut kept = BTreeMap::from([
        ("first".to_owned(), "kept".to_owned()),
        ("second".to_owned(), "kept".to_owned()),
    ]);
    let (mut killed, mut landed) = (0, 0);
    let mut round = 0;
    while killed < KILLS {
        round += 1;
        assert!(
            round < 10 * KILLS,
            "the writers end before they can be killed"
        );
        let name = format!("N{}", round % 20);
        let value = format!("value of round {round}");
        let mut writer = write(&name, &value).spawn();
        let moment = Duration::from_micros(random_below(whole.as_micros() as u64 * 5 / 4));
        std::thread::sleep(moment);
        // How busy the machine is changes meanwhile: whoever ends tells, and whoever does not, too.
        if writer.is_running() {
            killed += 1;
            writer.kill();
            whole += whole / 20;
        } else {
            whole = writer.wait().ok().elapsed;
            kept.insert(name.clone(), value.clone());
        }
        // The old file or the new one, whole: every secret is there, this one old or new.
        let list = home.run(["--json", "list"]).ok().json();
        let names: Vec<&str> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["name"].as_str().unwrap())
            .collect();
        for name in kept.keys() {
            assert!(
                names.contains(&name.as_str()),
                "{name} is lost in round {round}"
            );
        }
        if names.contains(&name.as_str()) {
            let now = home.run(["get", &name]).ok().text();
            if now == value {
                landed += 1;
                kept.insert(name, value);
            } else {
                assert_eq!(kept.get(&name), Some(&now), "round {round}");
            }
        }
    }
    for (name, value) in &kept {
        home.run(["get", name]).ok().stdout_is(value);
    }
    // The next writer clears away what the killed ones left behind.
    write("last", "kept").run().ok();
    let mut left: Vec<_> = std::fs::read_dir(home.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["identity.txt", "vault.age", "vaults.json"]);
    println!("{killed} writers killed in {round} rounds, {landed} writes landed");
}
