//! One's own account: the account keys, the password, and where one is signed in.

use askama::Template;
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};

use super::Visit;
use super::answer::{Wrong, page, see_other};
use super::frame::Frame;
use super::key::{ShownOnce, fate_of, grace_of};
use super::keys::state_of;
use super::words::Moment;
use crate::console::account_keys::KeyHolder;
use crate::keys::{Grace, Key};
use crate::store::{Audited, Membership, Page, Session};

/// How many keys are looked at, and how many are shown that open nothing any more.
const KEYS: i64 = 10_000;
const OVER: usize = 10;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    frame: Frame<'a>,
    memberships: &'a [Membership],
    keys: Vec<AccountKeyLine>,
    has_password: bool,
    sessions: Vec<SessionLine>,
}

struct AccountKeyLine {
    id: String,
    start: String,
    state: &'static str,
    class: &'static str,
    created: Moment,
    used: Option<Moment>,
    ends: Option<Moment>,
    may_roll: bool,
    /// Whether it is being replaced, and still works.
    is_rotating: bool,
    is_this: bool,
}

struct SessionLine {
    began: Moment,
    seen: Moment,
    with: &'static str,
}

/// Shows it.
pub(super) async fn show(visit: &Visit) -> Result<Response, Wrong> {
    let visitor = visit.visitor()?;
    let (store, now) = (visit.service().store(), visit.service().now());
    let person = &visitor.caller.person;
    let keys = own_keys(visit).await?;
    let sessions = store.sessions(&person.id, now).await?;
    let has_password = store.password_hash(&person.id).await?.is_some();
    page(&AccountPage {
        frame: Frame::of(visit, "Account").within("account"),
        memberships: &visitor.caller.memberships,
        keys: keys
            .iter()
            .rev()
            .map(|key| line(key, visitor.caller.key.as_deref(), now))
            .collect(),
        has_password,
        sessions: sessions.iter().map(|it| session_line(it, now)).collect(),
    })
}

async fn own_keys(visit: &Visit) -> Result<Vec<Key>, Wrong> {
    let person = visit.visitor()?.caller.person.id.clone();
    let (home, now) = (visit.service().home().await?, visit.service().now());
    let wanted = Page {
        cursor: None,
        limit: KEYS,
        search: None,
    };
    let store = visit.service().store();
    let keys = store.keys_of_api(&home.workspace, &home.api, Some(person), wanted);
    let mut keys = keys.await?.items;
    // Of those that open nothing any more the last ones are enough.
    let is_over = |key: &Key| key.rotation.is_over(key.expires, now);
    let over = keys.iter().filter(|key| is_over(key)).count();
    let mut left_out = over.saturating_sub(OVER);
    keys.retain(|key| {
        let is_left_out = left_out > 0 && is_over(key);
        left_out -= usize::from(is_left_out);
        !is_left_out
    });
    Ok(keys)
}

fn line(key: &Key, this: Option<&str>, now: i64) -> AccountKeyLine {
    let (state, class) = state_of(key, now);
    let is_over = !key.enabled || key.rotation.is_over(key.expires, now);
    AccountKeyLine {
        id: key.id.clone(),
        start: key.start.clone(),
        state,
        class,
        created: Moment::at(key.created_at, now),
        used: Moment::maybe(key.last_used_at, now),
        ends: Moment::maybe(key.expires, now),
        may_roll: !is_over && key.rotation.successor.is_none(),
        is_rotating: !is_over && key.rotation.successor.is_some(),
        is_this: this == Some(key.id.as_str()),
    }
}

fn session_line(session: &Session, now: i64) -> SessionLine {
    SessionLine {
        began: Moment::at(session.created_at, now),
        seen: Moment::at(session.seen_at, now),
        with: match session.key {
            Some(_) => "an account key",
            None => "the password",
        },
    }
}

/// Changes something of it. What is begun is ended, and whoever is signed in stays so, whether the
/// browser is still there or not.
pub(super) async fn change(visit: Visit, what: &str) -> Result<Response, Wrong> {
    let what = what.to_owned();
    let changing = tokio::spawn(async move { change_now(&visit, &what).await });
    changing.await.map_err(|_| Wrong::Stopped)?
}

async fn change_now(visit: &Visit, what: &str) -> Result<Response, Wrong> {
    let visitor = visit.visitor()?;
    let (service, store) = (visit.service(), visit.service().store());
    let holder = KeyHolder {
        service,
        caller: &visitor.caller,
        request: &visit.request,
    };
    match what {
        "roll" => return roll(visit, &holder).await,
        "finish" => holder.finish(&own_key(visit).await?).await?,
        "cancel" => {
            let old = own_key(visit).await?;
            let gone = holder.cancel(&old).await?;
            if visitor.caller.key == Some(gone) {
                store.move_session(visitor.session, &old).await?;
            }
        }
        "password" => set_password(visit).await?,
        "sign-out-elsewhere" => {
            let person = &visitor.caller.person.id;
            store.end_sessions_but(person, visitor.session).await?;
        }
        _ => return Err(Wrong::NotFound),
    }
    Ok(see_other("/account"))
}

async fn roll(visit: &Visit, holder: &KeyHolder<'_>) -> Result<Response, Wrong> {
    let visitor = visit.visitor()?;
    let (service, store) = (visit.service(), visit.service().store());
    let key = own_key(visit).await?;
    let grace = grace_of(visit.form.exactly("grace"))?;
    let rolled = holder.roll(&key, grace).await?;
    if visitor.caller.key.as_ref() == Some(&key) {
        store.move_session(visitor.session, &rolled.id).await?;
    }
    if matches!(grace, Grace::For(0)) {
        // Whoever else has the key may have signed in with it, and set a password.
        let person = &visitor.caller.person.id;
        store.end_sessions_but(person, visitor.session).await?;
    }
    page(&ShownOnce {
        frame: Frame::of(visit, "Your new account key").within("account"),
        secret: rolled.secret.expose_secret(),
        what: format!("Account key {}", rolled.id),
        old: Some(fate_of(rolled.old_expires, service.now())),
        next: "/account".to_owned(),
    })
}

/// Returns the id of the key that the form is about, which is one's own.
async fn own_key(visit: &Visit) -> Result<String, Wrong> {
    let home = visit.service().home().await?;
    let store = visit.service().store();
    let (key, _) = store.key(&home.workspace, visit.form.exactly("id")).await?;
    let person = &visit.visitor()?.caller.person.id;
    let is_own = key
        .identity
        .as_ref()
        .is_some_and(|it| it.external_id == *person);
    match is_own {
        true => Ok(key.id.clone()),
        false => Err(Wrong::NotFound),
    }
}

async fn set_password(visit: &Visit) -> Result<(), Wrong> {
    let visitor = visit.visitor()?;
    let (service, store) = (visit.service(), visit.service().store());
    let person = &visitor.caller.person;
    let passwords = &visit.pages.passwords;
    // A browser that was left open is not enough, nor is a key that somebody else has by now.
    let old = SecretString::from(visit.form.exactly("old"));
    let by_key = service.caller(&old).await?;
    if by_key.is_none_or(|caller| caller.person.id != person.id) {
        super::sign_in::count_try(visit, &person.name)?;
        let kept = store.password_hash(&person.id).await?;
        if !passwords.is(kept, old).await? {
            let told = "That is neither your password nor an account key of yours.";
            return Err(Wrong::Bad(told.to_owned()));
        }
    }
    let new = visit.form.exactly("new");
    if new != visit.form.exactly("again") {
        let told = "The two new passwords are not the same.";
        return Err(Wrong::Bad(told.to_owned()));
    }
    let hash = passwords
        .keep(&person.name, SecretString::from(new))
        .await?;
    let membership = visitor.caller.memberships.first().ok_or(Wrong::Forbidden)?;
    let (now, entropy) = (service.now(), service.entropy());
    let by = Audited::new(&membership.workspace, visitor.caller.actor(), now, entropy);
    let by = by.request(&visit.request);
    let but = Some(visitor.session);
    Ok(store.set_password_hash(&person.id, hash, but, by).await?)
}
