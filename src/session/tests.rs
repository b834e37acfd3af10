//! Tests of [`super`]: when a login happens, and when it does not.

use std::cell::Cell;
#[cfg(target_os = "linux")]
use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::words::error::{Error, Kind};

/// Seconds since 1970 that a test moves on itself.
#[derive(Clone, Default)]
struct Time(Rc<Cell<i64>>);

impl Time {
    fn pass(&self, seconds: i64) {
        self.0.set(self.0.get() + seconds);
    }

    fn after(&self, seconds: i64) -> Timestamp {
        Timestamp::from_second(self.0.get() + seconds).unwrap()
    }
}

fn sessions(time: &Time) -> Sessions {
    let time = time.clone();
    Sessions::with_clock(TokenCache::default(), None, Rc::new(move || time.after(0)))
}

fn key() -> SessionKey {
    SessionKey::new("nosana", "https://example.com", "me", "")
}

fn session(token: &str, expires_at: Timestamp) -> Session {
    Session::new(Zeroizing::new(token.to_owned()), Some(expires_at))
}

/// Logs in as often as it is asked to: `t1`, `t2`, …, each for an hour.
#[derive(Default)]
struct Server {
    time: Time,
    logins: Cell<u32>,
}

impl Server {
    async fn login(&self) -> Result<Session> {
        self.logins.set(self.logins.get() + 1);
        // Others get their chance to come in between.
        tokio::task::yield_now().await;
        Ok(session(
            &format!("t{}", self.logins.get()),
            self.time.after(3600),
        ))
    }

    async fn get(&self, sessions: &Sessions) -> String {
        let got = sessions
            .get_or_login(&key(), None, async || self.login().await)
            .await;
        got.unwrap().token.to_string()
    }
}

#[tokio::test]
async fn a_token_is_used_until_its_last_half_minute() {
    let server = Server::default();
    let sessions = sessions(&server.time);
    assert_eq!(server.get(&sessions).await, "t1");
    server.time.pass(3569);
    assert_eq!(server.get(&sessions).await, "t1");
    server.time.pass(1);
    assert_eq!(server.get(&sessions).await, "t2");
}

#[tokio::test]
async fn a_token_of_a_few_seconds_is_used_for_two_thirds_of_them() {
    for (lifetime, used) in [(1, 0), (3, 1), (20, 13), (90, 59), (91, 60)] {
        let time = Time::default();
        let sessions = sessions(&time);
        let logins = Cell::new(0);
        let get = async || {
            let login = async || {
                logins.set(logins.get() + 1);
                Ok(session("t", time.after(lifetime)))
            };
            let got = sessions.get_or_login(&key(), None, login).await;
            got.unwrap();
            logins.get()
        };
        assert_eq!(get().await, 1);
        assert_eq!(get().await, 1, "{lifetime}");
        time.pass(used);
        assert_eq!(get().await, 1, "{lifetime}");
        time.pass(1);
        assert_eq!(get().await, 2, "{lifetime}");
    }
}

#[tokio::test]
async fn a_token_whose_end_has_passed_by_our_clock_is_used_until_it_is_refused() {
    let time = Time::default();
    let sessions = sessions(&time);
    let login = async || Ok(session("t1", time.after(-60)));
    let got = sessions.get_or_login(&key(), None, login).await.unwrap();
    assert_eq!((got.token.as_str(), got.expires_at), ("t1", None));
    let never = async || Err(Error::failed("a second login"));
    let got = sessions.get_or_login(&key(), None, never).await.unwrap();
    let again = async || Ok(session("t2", time.after(-60)));
    let renewed = sessions.renew(&key(), &got, None, again).await.unwrap();
    assert_eq!(renewed.token.as_str(), "t2");
}

/// A token of this name that is good for so many requests.
fn of_uses(token: &str, time: &Time, uses: u64) -> Session {
    Session {
        uses: Some(uses),
        ..session(token, time.after(3600))
    }
}

#[tokio::test]
async fn each_request_has_one_of_the_token_s_own() {
    let time = Time::default();
    let sessions = sessions(&time);
    let key = key();
    let logins = Cell::new(0);
    let request = async || {
        let login = async || {
            logins.set(logins.get() + 1);
            tokio::task::yield_now().await;
            Ok(of_uses(&format!("t{}", logins.get()), &time, 2))
        };
        let session = sessions.get_or_login(&key, None, login).await.unwrap();
        session.token.to_string()
    };
    let (a, b, c) = tokio::join!(request(), request(), request());
    assert_eq!((a.as_str(), b.as_str(), c.as_str()), ("t1", "t1", "t2"));
    assert_eq!(request().await, "t2");
    assert_eq!(request().await, "t3");
}

#[tokio::test]
async fn tasks_that_need_one_together_log_in_once() {
    let server = Server::default();
    let sessions = sessions(&server.time);
    let (a, b, c) = tokio::join!(
        server.get(&sessions),
        server.get(&sessions),
        server.get(&sessions)
    );
    assert_eq!((a.as_str(), b.as_str(), c.as_str()), ("t1", "t1", "t1"));
    // All three are refused; the first renews and the others take what it got.
    let old = session("t1", server.time.after(3600));
    let key = key();
    let renew = || sessions.renew(&key, &old, None, async || server.login().await);
    let (a, b, c) = tokio::join!(renew(), renew(), renew());
    for renewed in [a, b, c] {
        assert_eq!(renewed.unwrap().token.as_str(), "t2");
    }
    assert_eq!(server.logins.get(), 2);
}

#[tokio::test]
async fn a_failed_login_is_told_and_the_next_one_tried() {
    let server = Server::default();
    let sessions = sessions(&server.time);
    let error = sessions
        .get_or_login(&key(), None, async || Err(Error::unavailable("down")))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(sessions.peek(&key()), None);
    assert_eq!(server.get(&sessions).await, "t1");
}

#[tokio::test]
async fn peeking_and_forgetting_never_log_in() {
    let server = Server::default();
    let sessions = sessions(&server.time);
    assert_eq!(sessions.peek(&key()), None);
    assert!(!sessions.forget(&key()).unwrap());
    server.get(&sessions).await;
    assert_eq!(sessions.peek(&key()).unwrap().token.as_str(), "t1");
    server.time.pass(3600);
    assert_eq!(sessions.peek(&key()), None);
    assert!(sessions.forget(&key()).unwrap());
    assert!(!sessions.forget(&key()).unwrap());
}

#[tokio::test]
async fn without_a_shared_cache_no_lock_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let locks = folder.path().join("locks");
    let server = Server::default();
    let sessions = Sessions {
        locks: Some(locks.clone()),
        ..sessions(&server.time)
    };
    server.get(&sessions).await;
    assert!(!locks.exists());
}

#[test]
fn keys_tell_sessions_apart_and_nothing_else() {
    let same = SessionKey::new("nosana", "https://example.com/", "me", "");
    assert_eq!(same.id(), key().id());
    for other in [
        SessionKey::new("nosan", "ahttps://example.com", "me", ""),
        SessionKey::new("nosana", "https://example.org", "me", ""),
        SessionKey::new("nosana", "https://example.com", "m", "e"),
        SessionKey::new("nosana", "https://example.com", "", "me"),
    ] {
        assert_ne!(other.id(), key().id());
    }
    let id = key().id().to_owned();
    let hash = id.strip_prefix("keyfob-session:").unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let shown = format!("{:?}", session("hunter2", Timestamp::UNIX_EPOCH));
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// With the kernel's keyring, which processes share.
#[cfg(target_os = "linux")]
mod shared {
    use std::fs;
    use std::io::Write;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::keyring::Keyring;
    use crate::session::cache::VARIABLE;
    use crate::words::env::Environment;

    const CHILD: &str = "session::tests::shared::child";
    const FOLDER: &str = "KEYFOB_TEST_FOLDER";

    /// Sessions in the kernel's keyring with locks in `folder`; whether it keeps keys here.
    fn shared(test: &str, folder: &Path) -> Option<Sessions> {
        let env = Environment::from_vars([(VARIABLE, "keyutils")], "/");
        let cache = TokenCache::from_env(&env, &Keyring::default()).unwrap();
        if cache.place().is_none() {
            eprintln!("left out: {test}: the kernel keeps no keys for this process");
            return None;
        }
        Some(Sessions::new(cache, Some(folder.join("locks"))))
    }

    fn key_of(folder: &Path) -> SessionKey {
        SessionKey::new("test", folder.to_str().unwrap(), "", "")
    }

    async fn token(sessions: &Sessions, key: &SessionKey, fresh: &str) -> String {
        let end = sessions.now() + SignedDuration::from_secs(3600);
        let got = sessions
            .get_or_login(key, None, async || Ok(session(fresh, end)))
            .await;
        got.unwrap().token.to_string()
    }

    #[tokio::test]
    #[ignore = "the other tests run it in a process of its own"]
    async fn child() {
        let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
            return;
        };
        let Some(sessions) = shared("child", &folder) else {
            return;
        };
        let key = key_of(&folder);
        let end = sessions.now() + SignedDuration::from_secs(3600);
        let got = sessions
            .get_or_login(&key, None, async || {
                let mut log = fs::OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(folder.join("logins"))
                    .unwrap();
                writeln!(log, "{}", std::process::id()).unwrap();
                // Long enough for every other process to come and find the lock taken.
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(session("shared", end))
            })
            .await
            .unwrap();
        assert_eq!(got.token.as_str(), "shared");
    }

    #[test]
    fn twenty_cold_processes_log_in_once() {
        let folder = tempfile::tempdir().unwrap();
        let Some(sessions) = shared("twenty_cold_processes_log_in_once", folder.path()) else {
            return;
        };
        let children: Vec<_> = (0..20)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", CHILD, "--ignored"])
                    .env(FOLDER, folder.path())
                    .stdout(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let logins = fs::read_to_string(folder.path().join("logins")).unwrap();
        assert_eq!(logins.lines().count(), 1, "{logins}");
        assert!(sessions.forget(&key_of(folder.path())).unwrap());
    }

    #[tokio::test]
    async fn another_process_s_token_is_found_and_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let test = "another_process_s_token_is_found_and_taken_over";
        let Some(ours) = shared(test, folder.path()) else {
            return;
        };
        let key = key_of(folder.path());
        // Separate ones share nothing but the kernel, as separate processes do.
        let theirs = shared(test, folder.path()).unwrap();
        assert_eq!(token(&ours, &key, "t1").await, "t1");
        assert_eq!(token(&theirs, &key, "unused").await, "t1");

        let end = ours.now() + SignedDuration::from_secs(3600);
        let old = session("t1", end);
        let fresh = async || Ok(session("t2", end));
        let renewed = ours.renew(&key, &old, None, fresh).await.unwrap();
        assert_eq!(renewed.token.as_str(), "t2");
        let never = async || Err(Error::failed("a second login"));
        let renewed = theirs.renew(&key, &old, None, never).await.unwrap();
        assert_eq!(renewed.token.as_str(), "t2");

        // A refused token is not left for others, even when nobody could log in anew.
        let down = async || Err(Error::unavailable("down"));
        assert!(ours.renew(&key, &renewed, None, down).await.is_err());
        assert_eq!(shared(test, folder.path()).unwrap().peek(&key), None);
    }

    #[tokio::test]
    async fn what_another_process_has_spent_is_spent() {
        let folder = tempfile::tempdir().unwrap();
        let test = "what_another_process_has_spent_is_spent";
        let Some(ours) = shared(test, folder.path()) else {
            return;
        };
        let key = key_of(folder.path());
        let theirs = shared(test, folder.path()).unwrap();
        let end = ours.now() + SignedDuration::from_secs(3600);
        let request = async |sessions: &Sessions, fresh: &str| {
            let login = async || {
                Ok(Session {
                    uses: Some(4),
                    ..session(fresh, end)
                })
            };
            let got = sessions.get_or_login(&key, None, login).await.unwrap();
            got.token.to_string()
        };
        assert_eq!(request(&ours, "t1").await, "t1");
        assert_eq!(request(&theirs, "unused").await, "t1");
        assert_eq!(request(&ours, "unused").await, "t1");
        assert_eq!(request(&theirs, "unused").await, "t1");
        assert_eq!(request(&theirs, "t2").await, "t2");
        assert_eq!(request(&ours, "unused").await, "t2");
        // What is kept with it is replaced, and not what has been counted.
        let stale = theirs.peek(&key).unwrap();
        theirs.replace(&key, stale);
        assert_eq!(ours.peek(&key).unwrap().uses, Some(2));
        assert_eq!(theirs.peek(&key).unwrap().uses, Some(2));
        // One that was refused nevertheless is replaced for both.
        let old = session("t2", end);
        let fresh = async || {
            Ok(Session {
                uses: Some(4),
                ..session("t3", end)
            })
        };
        let renewed = ours.renew(&key, &old, None, fresh).await.unwrap();
        assert_eq!((renewed.token.as_str(), renewed.uses), ("t3", Some(3)));
        let never = async || Err(Error::failed("a fourth login"));
        let renewed = theirs.renew(&key, &old, None, never).await.unwrap();
        assert_eq!((renewed.token.as_str(), renewed.uses), ("t3", Some(2)));
        assert!(ours.forget(&key).unwrap());
    }

    #[tokio::test]
    async fn a_lock_that_nobody_releases_costs_half_the_time_and_not_the_login() {
        let folder = tempfile::tempdir().unwrap();
        let test = "a_lock_that_nobody_releases_costs_half_the_time_and_not_the_login";
        let Some(sessions) = shared(test, folder.path()) else {
            return;
        };
        let key = key_of(folder.path());
        let locks = folder.path().join("locks");
        let _held = lock::take(&locks, &key.file_name(), None).await.unwrap();
        let deadline = Instant::now() + Duration::from_millis(400);
        let end = sessions.now() + SignedDuration::from_secs(3600);
        let got = sessions
            .get_or_login(&key, Some(deadline), async || Ok(session("t", end)))
            .await;
        assert_eq!(got.unwrap().token.as_str(), "t");
        assert!(sessions.forget(&key).unwrap());
    }

    #[tokio::test]
    async fn an_unwritable_lock_folder_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("locks"), "a file").unwrap();
        let test = "an_unwritable_lock_folder_does_not_matter";
        let Some(sessions) = shared(test, folder.path()) else {
            return;
        };
        let key = key_of(folder.path());
        assert_eq!(token(&sessions, &key, "t").await, "t");
        assert!(sessions.forget(&key).unwrap());
    }
}
