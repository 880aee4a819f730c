//! What may be asked of the server, made at random. Keys are meant by when they were made, and all
//! else by small numbers, so that what is left of a sequence still means something.

use proptest::prelude::*;

/// One second, minute, hour and day in ms.
pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// A rate limit to be made; `name` is a number.
#[derive(Debug, Clone)]
pub struct Limit {
    pub name: u8,
    pub limit: i64,
    pub duration: i64,
    pub auto: bool,
}

/// How a balance fills up: daily, or monthly on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Refill {
    pub amount: i64,
    pub day: Option<i8>,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct New {
    pub api: u8,
    pub prefix: bool,
    pub bytes: Option<u8>,
    /// How long it lives, in ms.
    pub lives: Option<i64>,
    pub credits: Option<(Option<i64>, Option<Refill>)>,
    pub permissions: Vec<u8>,
    pub roles: Vec<u8>,
    pub limits: Vec<Limit>,
    pub who: Option<u8>,
    pub enabled: bool,
    pub meta: Option<u8>,
}

/// What `keys.updateKey` changes; `None` takes away.
#[derive(Debug, Clone)]
pub enum Change {
    Name(Option<u8>),
    Who(Option<u8>),
    Meta(Option<u8>),
    /// How long it lives from now on, in ms.
    Lives(Option<i64>),
    Unlimited,
    Credits(Option<i64>, Option<Option<Refill>>),
    Limits(Vec<Limit>),
    Enabled(bool),
    Roles(Vec<u8>),
    Permissions(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Count {
    Set(Option<i64>),
    Increment(i64),
    Decrement(i64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    Add,
    Set,
    Remove,
}

/// A permission query.
#[derive(Debug, Clone)]
pub enum Query {
    Has(u8),
    And(Box<Query>, Box<Query>),
    Or(Box<Query>, Box<Query>),
}

/// A limit that is asked for by name, and perhaps another limit for this once.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: u8,
    pub cost: Option<i64>,
    pub other: Option<(i64, i64)>,
}

#[derive(Debug, Clone, Default)]
pub struct Demand {
    pub cost: Option<i64>,
    pub query: Option<Query>,
    pub limits: Vec<Named>,
}

/// How much time goes by.
#[derive(Debug, Clone)]
pub enum Span {
    Of(i64),
    /// Until a key expires, or a millisecond less.
    Expiry {
        key: usize,
        early: bool,
    },
    /// Until the next midnight, or a millisecond less.
    Midnight {
        early: bool,
    },
}

/// One request, or time going by.
#[derive(Debug, Clone)]
pub enum Op {
    Create(New),
    Update {
        key: usize,
        changes: Vec<Change>,
    },
    Delete {
        key: usize,
        permanent: bool,
    },
    Credits {
        key: usize,
        count: Count,
    },
    Permissions {
        key: usize,
        how: How,
        slugs: Vec<u8>,
    },
    Roles {
        key: usize,
        how: How,
        names: Vec<u8>,
    },
    MakeRole {
        name: u8,
        slugs: Vec<u8>,
    },
    SetRole {
        name: u8,
        slugs: Vec<u8>,
    },
    DeleteRole(u8),
    DeletePermission(u8),
    Reroll {
        key: usize,
        grace: Option<i64>,
    },
    Finish(usize),
    Cancel(usize),
    Verify {
        key: usize,
        demand: Demand,
    },
    MakeIdentity {
        who: u8,
        limits: Vec<Limit>,
    },
    UpdateIdentity {
        who: u8,
        meta: Option<u8>,
        limits: Option<Vec<Limit>>,
    },
    DeleteIdentity(u8),
    DeleteApi(u8),
    Wait(Span),
}

/// Makes a sequence: a role and a key first, since most needs them.
pub fn sequence(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let roles = prop::collection::vec(Just(0_u8), 0..2);
    let rest = prop::collection::vec(op(), 1..most);
    (slugs(), new(), roles, rest).prop_map(|(slugs, first, roles, rest)| {
        let role = Op::MakeRole { name: 0, slugs };
        let first = New {
            api: 0,
            roles,
            ..first
        };
        [role, Op::Create(first)].into_iter().chain(rest).collect()
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => new().prop_map(Op::Create),
        6 => (key(), prop::collection::vec(change(), 1..3))
            .prop_map(|(key, changes)| Op::Update { key, changes: each_once(changes) }),
        1 => (key(), any::<bool>()).prop_map(|(key, permanent)| Op::Delete { key, permanent }),
        3 => (key(), count()).prop_map(|(key, count)| Op::Credits { key, count }),
        2 => (key(), how(), some(4)).prop_map(|(key, how, slugs)| Op::Permissions { key, how, slugs }),
        2 => (key(), how(), some(3)).prop_map(|(key, how, names)| Op::Roles { key, how, names }),
        2 => (0..3_u8, slugs()).prop_map(|(name, slugs)| Op::MakeRole { name, slugs }),
        1 => (0..3_u8, slugs()).prop_map(|(name, slugs)| Op::SetRole { name, slugs }),
        1 => (0..3_u8).prop_map(Op::DeleteRole),
        1 => (0..4_u8).prop_map(Op::DeletePermission),
        9 => (key(), grace()).prop_map(|(key, grace)| Op::Reroll { key, grace }),
        2 => key().prop_map(Op::Finish),
        4 => key().prop_map(Op::Cancel),
        6 => (key(), demand()).prop_map(|(key, demand)| Op::Verify { key, demand }),
        1 => (0..3_u8, limits()).prop_map(|(who, limits)| Op::MakeIdentity { who, limits }),
        1 => (0..3_u8, maybe(0..3_u8), prop::option::of(limits()))
            .prop_map(|(who, meta, limits)| Op::UpdateIdentity { who, meta, limits }),
        1 => (0..3_u8).prop_map(Op::DeleteIdentity),
        1 => prop::sample::select(vec![1_u8, 1, 1, 0]).prop_map(Op::DeleteApi),
        6 => span().prop_map(Op::Wait),
    ]
}

fn key() -> impl Strategy<Value = usize> {
    0..8_usize
}

fn maybe<T: std::fmt::Debug + Clone>(
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.4, of)
}

fn some(most: u8) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..most, 1..3)
}

fn slugs() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..4_u8, 0..3)
}

fn how() -> impl Strategy<Value = How> {
    prop::sample::select(vec![How::Add, How::Set, How::Remove])
}

fn grace() -> impl Strategy<Value = Option<i64>> {
    prop::sample::select(vec![
        None,
        Some(0),
        Some(1),
        Some(MINUTE),
        Some(HOUR),
        Some(2 * DAY),
    ])
}

fn lives() -> impl Strategy<Value = Option<i64>> {
    let spans = vec![-SECOND, 1, MINUTE, HOUR, 25 * HOUR, 40 * DAY];
    maybe(prop::sample::select(spans))
}

fn refill() -> impl Strategy<Value = Refill> {
    let day = prop::sample::select(vec![None, Some(1), Some(15), Some(30), Some(31)]);
    (3..9_i64, day).prop_map(|(amount, day)| Refill { amount, day })
}

fn new() -> impl Strategy<Value = New> {
    let credits = maybe((prop::option::weighted(0.9, 0..6_i64), maybe(refill())));
    let lists = (slugs(), maybe(0..3_u8), limits());
    let rest = (maybe(0..3_u8), prop::bool::weighted(0.9), maybe(0..3_u8));
    let form = (
        prop::sample::select(vec![0_u8, 0, 1]),
        any::<bool>(),
        maybe(16..40_u8),
    );
    (form, lives(), credits, lists, rest).prop_map(|(form, lives, credits, lists, rest)| New {
        api: form.0,
        prefix: form.1,
        bytes: form.2,
        lives,
        // What has no number cannot fill up.
        credits: credits.map(|(left, refill)| (left, refill.filter(|_| left.is_some()))),
        permissions: lists.0,
        roles: lists.1.into_iter().collect(),
        limits: lists.2,
        who: rest.0,
        enabled: rest.1,
        meta: rest.2,
    })
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let span = prop::sample::select(vec![SECOND, MINUTE, HOUR, DAY]);
    let limit = (0..3_u8, 1..6_i64, span, any::<bool>());
    prop::collection::vec(limit, 0..2).prop_map(|limits| {
        let limits = limits.into_iter();
        limits
            .map(|(name, limit, duration, auto)| Limit {
                name,
                limit,
                duration,
                auto,
            })
            .collect()
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => maybe(0..3_u8).prop_map(Change::Name),
        1 => maybe(0..3_u8).prop_map(Change::Who),
        1 => maybe(0..3_u8).prop_map(Change::Meta),
        4 => lives().prop_map(Change::Lives),
        1 => Just(Change::Unlimited),
        2 => (maybe(0..6_i64), maybe(maybe(refill())))
            .prop_map(|(left, refill)| Change::Credits(left, refill)),
        1 => limits().prop_map(Change::Limits),
        1 => any::<bool>().prop_map(Change::Enabled),
        1 => prop::collection::vec(0..3_u8, 0..2).prop_map(Change::Roles),
        1 => slugs().prop_map(Change::Permissions),
    ]
}

/// Leaves one change of each field.
fn each_once(changes: Vec<Change>) -> Vec<Change> {
    let field = |change: &Change| match change {
        Change::Unlimited => std::mem::discriminant(&Change::Credits(None, None)),
        other => std::mem::discriminant(other),
    };
    let mut once: Vec<Change> = Vec::new();
    for change in changes {
        if once.iter().all(|other| field(other) != field(&change)) {
            once.push(change);
        }
    }
    once
}

fn count() -> impl Strategy<Value = Count> {
    prop_oneof![
        2 => maybe(0..9_i64).prop_map(Count::Set),
        1 => (0..5_i64).prop_map(Count::Increment),
        1 => (0..5_i64).prop_map(Count::Decrement),
    ]
}

fn demand() -> impl Strategy<Value = Demand> {
    let has = (0..4_u8).prop_map(Query::Has);
    let query = has.prop_recursive(2, 4, 2, |inner| {
        let two = (inner.clone(), inner).prop_map(|(one, other)| (Box::new(one), Box::new(other)));
        (two, any::<bool>()).prop_map(|((one, other), both)| match both {
            true => Query::And(one, other),
            false => Query::Or(one, other),
        })
    });
    let span = prop::sample::select(vec![SECOND, HOUR]);
    let named = (0..3_u8, maybe(0..4_i64), maybe((1..6_i64, span)))
        .prop_map(|(name, cost, other)| Named { name, cost, other });
    let limits = prop::collection::vec(named, 0..2);
    (maybe(0..4_i64), maybe(query), limits).prop_map(|(cost, query, limits)| Demand {
        cost,
        query,
        limits,
    })
}

fn span() -> impl Strategy<Value = Span> {
    let spans = vec![1, 400, SECOND, MINUTE, HOUR, DAY, 2 * DAY, 31 * DAY];
    prop_oneof![
        3 => prop::sample::select(spans).prop_map(Span::Of),
        3 => (key(), any::<bool>()).prop_map(|(key, early)| Span::Expiry { key, early }),
        2 => any::<bool>().prop_map(|early| Span::Midnight { early }),
    ]
}
