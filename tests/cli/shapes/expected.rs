//! What keyfob may make of each spoiled answer. Whatever is not named here is no answer:
//! `invalid_data`, and nothing is done.

use self::Expected::{Good, Ignored};
use super::mutations::{Mutation, Odd};

/// What a spoiled answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It makes no sense.
    Nonsense,
    /// keyfob can do without what is spoiled: it does what it was asked for, or says that the answer
    /// makes no sense.
    Ignored,
    /// It is an answer in good order that says something else.
    Good,
}

/// One exception: the store, the requests, the levels, how they are spoiled, what that is, and why.
/// A level that ends in `*` stands for all that begin so; no way of spoiling stands for all.
type Exception = (
    &'static str,
    &'static str,
    &'static str,
    &'static [Odd],
    Expected,
    &'static str,
);

const ALL: &[Odd] = &[];

const EXCEPTIONS: &[Exception] = &[
    // Tokens.
    (
        "*",
        "POST *",
        "/token",
        &[Odd::Text],
        Good,
        "any text may be a token",
    ),
    (
        "bytenite",
        EXCHANGE,
        "/expiresIn",
        ALL,
        Ignored,
        "a token of which no end is told is used until it is refused",
    ),
    // Nosana.
    (
        "nosana",
        "GET /secrets",
        "",
        &[Odd::Object],
        Good,
        "an empty list",
    ),
    (
        "nosana",
        "GET /secrets",
        "/*",
        ALL,
        Good,
        "names and values are any",
    ),
    (
        "nosana",
        "GET /secrets/*",
        "",
        ALL,
        Good,
        "a value is any JSON",
    ),
    // ByteNite.
    ("bytenite", LIST, "", &[Odd::Object], Good, LEFT_OUT),
    (
        "bytenite",
        LIST,
        "/secrets",
        &[Odd::Missing, Odd::Null, Odd::Array],
        Good,
        LEFT_OUT,
    ),
    (
        "bytenite",
        LIST,
        "/secrets/0",
        &[Odd::Missing],
        Good,
        "a list without it",
    ),
    (
        "bytenite",
        LIST,
        "/secrets/0/*",
        &[Odd::Text],
        Good,
        "another secret",
    ),
    (
        "bytenite",
        LIST,
        "/secrets/0/*",
        &[Odd::Empty],
        Good,
        "what no name can stand for is left out, and said to be",
    ),
    // Neo.
    (
        "neo",
        "GET /v1/secrets",
        "",
        &[Odd::Object, Odd::Array],
        Good,
        LEFT_OUT,
    ),
    (
        "neo",
        "GET /v1/secrets",
        "/secrets",
        &[Odd::Missing, Odd::Null, Odd::Array],
        Good,
        LEFT_OUT,
    ),
    (
        "neo",
        "GET /v1/secrets",
        "/secrets/0",
        &[Odd::Missing],
        Good,
        "a list without it",
    ),
    (
        "neo",
        "GET /v1/secrets",
        "/secrets/0/id",
        &[Odd::Text],
        Good,
        "another secret",
    ),
    (
        "neo",
        "GET /v1/secrets",
        "/secrets/0/name",
        &[Odd::Text],
        Good,
        "another secret",
    ),
    (
        "neo",
        "GET /v1/secrets",
        "/secrets/0/name",
        &[Odd::Empty],
        Ignored,
        "no name is empty: such a one is left out",
    ),
    (
        "neo",
        "GET /v1/secrets",
        "/secrets/0/createdAt",
        ALL,
        Ignored,
        BESIDE,
    ),
    (
        "neo",
        "GET /v1/secrets",
        "/secrets/0/updatedAt",
        ALL,
        Ignored,
        BESIDE,
    ),
    (
        "neo",
        "GET /v1/secrets",
        "/pagination*",
        ALL,
        Ignored,
        "a page that brings nothing new is the last, whatever is said of pages",
    ),
    // OpenBao.
    (
        "openbao",
        DATA,
        "/data/data",
        &[Odd::Null, Odd::Object],
        Good,
        "an empty map",
    ),
    (
        "openbao",
        DATA,
        "/data/data/*",
        ALL,
        Good,
        "values are any JSON",
    ),
    (
        "openbao",
        DATA,
        "/data/metadata/version",
        &[Odd::Number],
        Good,
        "another version",
    ),
    ("openbao", DATA, "/data/metadata/*", ALL, Ignored, BESIDE),
    (
        "openbao",
        SUBKEYS,
        "/data/subkeys",
        &[Odd::Null, Odd::Object],
        Good,
        "an empty map",
    ),
    (
        "openbao",
        SUBKEYS,
        "/data/subkeys/*",
        ALL,
        Good,
        "other keys, or the same: what stands for a value is none",
    ),
    (
        "openbao",
        SUBKEYS,
        "/data/metadata/version",
        &[Odd::Number],
        Good,
        "another version",
    ),
    ("openbao", SUBKEYS, "/data/metadata/*", ALL, Ignored, BESIDE),
    (
        "openbao",
        FOLDERS,
        "/data/keys",
        &[Odd::Array],
        Good,
        "an empty folder",
    ),
    (
        "openbao",
        FOLDERS,
        "/data/keys/0",
        &[Odd::Missing, Odd::Text],
        Good,
        "another folder",
    ),
    (
        "openbao",
        MOUNTS,
        "/data/type",
        &[Odd::Text, Odd::Empty],
        Good,
        "another engine",
    ),
    (
        "openbao",
        MOUNTS,
        "/data/path",
        &[Odd::Text, Odd::Empty],
        Good,
        "another mount",
    ),
    (
        "openbao",
        MOUNTS,
        "/data/options*",
        ALL,
        Good,
        "an engine without a version is of the first, and one of another is told",
    ),
    ("openbao", MOUNTS, "/data/accessor", ALL, Ignored, BESIDE),
    ("openbao", "*", "/request_id", ALL, Ignored, BESIDE),
    ("openbao", "*", "/lease_id", ALL, Ignored, BESIDE),
    ("openbao", "*", "/lease_duration", ALL, Ignored, BESIDE),
    ("openbao", "*", "/renewable", ALL, Ignored, BESIDE),
    ("openbao", "*", "/wrap_info", ALL, Ignored, BESIDE),
    ("openbao", "*", "/warnings", ALL, Ignored, BESIDE),
    ("openbao", "*", "/auth", ALL, Ignored, BESIDE),
    (
        "openbao",
        LOOK_UP,
        "",
        &[Odd::Object],
        Good,
        "a token of which nothing is told is one",
    ),
    ("openbao", LOOK_UP, "/data*", ALL, Ignored, BESIDE),
    // Northflank.
    (
        "northflank",
        DETAILS,
        "/data/secrets*",
        ALL,
        Ignored,
        "the values are those that the group itself has told",
    ),
    (
        "northflank",
        DETAILS,
        "/data/addonSecrets",
        &[Odd::Missing],
        Ignored,
        "no addons are shown then, and no group is replaced that may have some",
    ),
    (
        "northflank",
        GROUP,
        "/error/*",
        ALL,
        Ignored,
        "that there is an error says that the group has gone; what is in it is for people",
    ),
    (
        "northflank",
        GROUP,
        "/data/id",
        &[Odd::Text],
        Good,
        "another group",
    ),
    ("northflank", GROUP, "/data/name", ALL, Good, ITS_ID),
    (
        "northflank",
        GROUPS,
        "/data/secrets/0/name",
        ALL,
        Good,
        ITS_ID,
    ),
    (
        "northflank",
        GROUP,
        "/data/secrets",
        &[Odd::Object],
        Good,
        "an empty group",
    ),
    (
        "northflank",
        GROUP,
        "/data/secrets/variables",
        &[Odd::Missing, Odd::Object],
        Good,
        "a group without variables",
    ),
    (
        "northflank",
        GROUP,
        "/data/secrets/files",
        &[Odd::Missing],
        Good,
        "a group without files",
    ),
    (
        "northflank",
        GROUP,
        "/data/secrets/variables/*",
        ALL,
        Good,
        "a variable that is no text is its JSON",
    ),
    (
        "northflank",
        GROUPS,
        "/data/secrets",
        &[Odd::Array],
        Good,
        "an empty list",
    ),
    (
        "northflank",
        GROUPS,
        "/data/secrets/0",
        &[Odd::Missing],
        Good,
        "a list without it",
    ),
    (
        "northflank",
        GROUPS,
        "/data/secrets/0/id",
        &[Odd::Text],
        Good,
        "another group",
    ),
    (
        "northflank",
        GROUPS,
        "/pagination",
        &[Odd::Missing, Odd::Object],
        Ignored,
        "a server without pages says nothing of them",
    ),
    (
        "northflank",
        GROUPS,
        "/pagination/count",
        ALL,
        Ignored,
        BESIDE,
    ),
    (
        "northflank",
        GROUPS,
        "/pagination/hasNextPage",
        &[Odd::Missing, Odd::Null],
        Ignored,
        "without a cursor there is no next page",
    ),
];

/// What may stand in a group beside its secrets, its id and its name.
const GROUP_FIELDS: [&str; 7] = [
    "description",
    "tags",
    "secretType",
    "type",
    "priority",
    "projectId",
    "createdAt",
];

const EXCHANGE: &str = "POST /v1/auth/access_token";
const LIST: &str = "GET /v1/auth/secrets";
const DATA: &str = "GET /v1/secret/data/*";
const SUBKEYS: &str = "GET /v1/secret/subkeys/*";
const FOLDERS: &str = "GET /v1/secret/metadata/*";
const MOUNTS: &str = "GET /v1/sys/internal/ui/mounts/secret";
const LOOK_UP: &str = "GET /v1/auth/token/lookup-self";
const GROUPS: &str = "GET /v1/projects/shop/secrets";
const GROUP: &str = "GET /v1/projects/shop/secrets/*";
const DETAILS: &str = "GET /v1/projects/shop/secrets/api-env/details";
const LEFT_OUT: &str = "gateways leave out what is empty";
const ITS_ID: &str = "a group without a name is called by its id";
const BESIDE: &str = "it stands beside what was asked for";

/// What is known not to be so yet: the store, the request, and what is done to its answers. Each goes
/// when it is mended; `KEYFOB_SHAPES_OWED=1` tries them.
const OWED: &[(&str, &str, &str)] = &[];

/// An answer in good order to a request that had no effect.
pub const UNDONE: &str = "answered and not done";

/// Whether what comes of it is owed.
pub fn is_owed(store: &str, request: &str, spoiled: &str) -> bool {
    OWED.iter().any(|(owed, requests, what)| {
        *owed == store && matches(requests, request) && spoiled.contains(what)
    })
}

/// Whether `pattern`, which may end in `*`, stands for `text`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}

/// What the answer to `request` is once it is spoiled so.
pub fn expected(store: &str, request: &str, mutation: &Mutation) -> Expected {
    let is_group = matches(GROUP, request) || request == GROUPS;
    let beside = GROUP_FIELDS.into_iter().chain(["updatedAt"]);
    let mut beside =
        beside.flat_map(|field| [format!("/data/{field}"), format!("/data/secrets/0/{field}")]);
    if store == "northflank" && is_group && beside.any(|field| field == mutation.path) {
        return Ignored;
    }
    let found = EXCEPTIONS
        .iter()
        .find(|(stores, requests, path, odds, ..)| {
            matches(stores, store)
                && matches(requests, request)
                && matches(path, &mutation.path)
                && (odds.is_empty() || odds.contains(&mutation.odd))
        });
    found.map_or(Expected::Nonsense, |(_, _, _, _, expected, _)| *expected)
}
