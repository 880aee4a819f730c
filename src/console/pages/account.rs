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
use crate::keys::Key;
use crate::store::{Audited, Membership, Page, Session};

/// How many keys are shown, the newest first.
const KEYS: i64 = 100;

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
    let home = visit.service().home().await?;
    let wanted = Page {
        cursor: None,
        limit: KEYS,
        search: None,
    };
    let store = visit.service().store();
    let keys = store.keys_of_api(&home.workspace, &home.api, Some(person), wanted);
    Ok(keys.await?.items)
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

/// Changes something of it.
pub(super) async fn change(visit: &Visit, what: &str) -> Result<Response, Wrong> {
    let visitor = visit.visitor()?;
    let (service, store) = (visit.service(), visit.service().store());
    let holder = KeyHolder {
        service,
        caller: &visitor.caller,
        request: &visit.request,
    };
    match what {
        "roll" => {
            let key = own_key(visit).await?;
            let grace = grace_of(visit.form.exactly("grace"))?;
            let rolled = holder.roll(&key, grace).await?;
            if visitor.caller.key.as_ref() == Some(&key) {
                store.move_session(visitor.session, &rolled.id).await?;
            }
            return page(&ShownOnce {
                frame: Frame::of(visit, "Your new account key").within("account"),
                secret: rolled.secret.expose_secret(),
                what: format!("Account key {}", rolled.id),
                old: Some(fate_of(rolled.old_expires, service.now())),
                next: "/account".to_owned(),
            });
        }
        "finish" => holder.finish(&own_key(visit).await?).await?,
        "cancel" => {
            let old = own_key(visit).await?;
            holder.cancel(&old).await?;
            if visitor.caller.key.is_some() {
                // The one that took its place opens nothing any more.
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

/// Returns the id of the key that the form is about, which is one's own.
async fn own_key(visit: &Visit) -> Result<String, Wrong> {
    let id = visit.form.exactly("id");
    let keys = own_keys(visit).await?;
    let own = keys.into_iter().find(|key| key.id == id);
    own.map(|key| key.id.clone()).ok_or(Wrong::NotFound)
}

async fn set_password(visit: &Visit) -> Result<(), Wrong> {
    let visitor = visit.visitor()?;
    let (service, store) = (visit.service(), visit.service().store());
    let person = &visitor.caller.person;
    let passwords = &visit.pages.passwords;
    let kept = store.password_hash(&person.id).await?;
    if kept.is_some() {
        let old = SecretString::from(visit.form.exactly("old"));
        super::sign_in::count_try(visit, &person.name)?;
        if !passwords.is(kept, old).await? {
            return Err(Wrong::Bad("That is not your password now.".to_owned()));
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
