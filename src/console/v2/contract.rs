//! Holds together what an operation documents and what it reads: whatever passes its schema is
//! read by its type, so that no caller is told that a body is wrong which the document calls right.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::schema::BodySchema;
use super::{ForEach, each, openapi};
use crate::ids::Entropy;
use utoipa::ToSchema as _;

/// How many random bodies each operation is sent.
const BODIES: u64 = 300;

/// Makes bodies from a schema, and bodies that are nearly right.
struct Maker<'a> {
    components: &'a Value,
    chance: Entropy,
}

/// How much of what may be left out is there.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    Least,
    Most,
    Any,
}

impl Maker<'_> {
    fn below(&self, end: u64) -> u64 {
        self.chance.next_u64() % end
    }

    fn make(&self, schema: &Value, fill: Fill) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.strip_prefix("#/components/schemas/").unwrap();
            let found = &self.components["schemas"][name];
            assert!(found.is_object(), "no schema is called {name}");
            return self.make(found, fill);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let choice = match fill {
                Fill::Least => 0,
                Fill::Most => choices.len() - 1,
                Fill::Any => usize::try_from(self.below(choices.len() as u64)).unwrap(),
            };
            return self.make(&choices[choice], fill);
        }
        if let Some(words) = schema["enum"].as_array() {
            let at = usize::try_from(self.below(words.len() as u64)).unwrap();
            return words[at].clone();
        }
        match self.kind(schema, fill) {
            "null" => Value::Null,
            "boolean" => json!(self.below(2) == 0),
            "integer" => self.integer(schema),
            "string" => self.string(schema, fill).into(),
            "array" => self.array(schema, fill),
            "object" => self.object(schema, fill),
            other => panic!("nobody knows how to make {other}: {schema}"),
        }
    }

    fn kind<'a>(&self, schema: &'a Value, fill: Fill) -> &'a str {
        match &schema["type"] {
            Value::String(kind) => kind,
            Value::Array(kinds) => {
                let is_null = |kind: &&Value| kind.as_str() == Some("null");
                let null = kinds.iter().find(is_null);
                let other = kinds.iter().find(|kind| !is_null(kind)).unwrap();
                let takes_null = fill == Fill::Any && self.below(4) == 0;
                let kind = null.filter(|_| takes_null).unwrap_or(other);
                kind.as_str().unwrap()
            }
            other => panic!("no type: {other} in {schema}"),
        }
    }

    /// Makes an integer, its bounds often.
    fn integer(&self, schema: &Value) -> Value {
        let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
        let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
        match self.below(4) {
            0 => json!(least),
            1 => json!(most),
            // What JSON Schema calls an integer too.
            2 if least.abs() < 1 << 50 => json!(least as f64),
            _ => {
                let span = most.abs_diff(least).saturating_add(1);
                json!(least.saturating_add_unsigned(self.below(span)))
            }
        }
    }

    fn string(&self, schema: &Value, fill: Fill) -> String {
        let pattern = schema["pattern"].as_str();
        let letters = match pattern {
            // None of these is beyond what any pattern takes.
            Some("^[a-zA-Z0-9_]+$" | "^[a-zA-Z0-9_.-]+$" | r"^[a-zA-Z0-9_:\-.*]+$") => "aZ09_",
            None => "a Z\"\\/\n.é漢🔑{",
            Some(other) => panic!("nobody knows how to make {other}"),
        };
        let letters: Vec<_> = letters.chars().collect();
        let count = self.count(schema, ["minLength", "maxLength"], fill);
        let letter = |_| letters[usize::try_from(self.below(letters.len() as u64)).unwrap()];
        (0..count).map(letter).collect()
    }

    fn count(&self, schema: &Value, [least, most]: [&str; 2], fill: Fill) -> u64 {
        let least = schema[least].as_u64().unwrap_or(0);
        let most = schema[most].as_u64().unwrap_or(least + 8);
        match fill {
            Fill::Least => least,
            Fill::Most => most.min(least + 100),
            Fill::Any => least + self.below(most.min(least + 12) - least + 1),
        }
    }

    fn array(&self, schema: &Value, fill: Fill) -> Value {
        let mut count = self.count(schema, ["minItems", "maxItems"], fill);
        if fill != Fill::Least {
            count = count.min(3);
        }
        (0..count)
            .map(|_| self.make(&schema["items"], fill))
            .collect()
    }

    fn object(&self, schema: &Value, fill: Fill) -> Value {
        let none = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        let required = schema["required"].as_array();
        let mut made = Map::new();
        for (name, property) in properties {
            let is_required = required.is_some_and(|all| all.iter().any(|it| it == name));
            let is_there = match fill {
                Fill::Least => false,
                Fill::Most => true,
                Fill::Any => self.below(2) == 0,
            };
            if is_required || is_there {
                made.insert(name.clone(), self.make(property, fill));
            }
        }
        if properties.is_empty() && fill != Fill::Least {
            made.insert("any".to_owned(), json!({ "thing": [1, null, "x"] }));
        }
        made.into()
    }

    /// Makes something else of one value, somewhere.
    fn spoil(&self, value: &mut Value) {
        let inner = match value {
            Value::Object(fields) if !fields.is_empty() => {
                let at = usize::try_from(self.below(fields.len() as u64)).unwrap();
                fields.values_mut().nth(at)
            }
            Value::Array(items) if !items.is_empty() => items.first_mut(),
            _ => None,
        };
        match inner {
            Some(inner) if self.below(3) > 0 => self.spoil(inner),
            _ => {
                let others = [
                    json!(null),
                    json!(true),
                    json!(-1),
                    json!(0),
                    json!(300),
                    json!(1.5),
                    json!(""),
                    json!("x"),
                    json!([]),
                    json!({}),
                    json!({ "more": 1 }),
                ];
                let at = usize::try_from(self.below(others.len() as u64)).unwrap();
                *value = others[at].clone();
            }
        }
    }
}

/// Sends every operation's reader bodies of all kinds.
struct Contract {
    components: Value,
    operations: Vec<&'static str>,
}

impl ForEach for Contract {
    fn operation<O: Operation>(&mut self) {
        let name = O::Request::name();
        // It panics where the schema is none.
        let schema = BodySchema::new(O::NAME, &name, &self.components);
        let own = &self.components["schemas"][name.as_ref()];
        let read = |body: &Value| schema.read::<O::Request>(body.to_string().as_bytes());
        for seed in 0..BODIES {
            let maker = Maker {
                components: &self.components,
                chance: Entropy::seeded(seed),
            };
            let fill = match seed {
                0 => Fill::Least,
                1 => Fill::Most,
                _ => Fill::Any,
            };
            let body = maker.make(own, fill);
            let passes = read(&body);
            assert!(passes.is_ok(), "{}: {body:#}: {:?}", O::NAME, passes.err());
            let mut spoiled = body;
            maker.spoil(&mut spoiled);
            if let Err(error) = read(&spoiled) {
                let by_schema = error.errors.iter().all(|error| !error.location.is_empty());
                assert!(
                    by_schema,
                    "{} documents what it does not read: {spoiled:#}",
                    O::NAME
                );
            }
        }
        self.operations.push(O::NAME);
    }
}

#[test]
fn whatever_passes_a_schema_is_read() {
    let document = serde_json::to_value(openapi()).unwrap();
    let mut contract = Contract {
        components: document["components"].clone(),
        operations: Vec::new(),
    };
    each(&mut contract);
    assert!(contract.operations.contains(&"keys.rerollKey"));
    let documented = document["paths"].as_object().unwrap();
    for name in &contract.operations {
        assert!(
            documented.contains_key(&format!("/v2/{name}")),
            "{name} has no path"
        );
    }
    let once: std::collections::BTreeSet<_> = contract.operations.iter().collect();
    assert_eq!(
        once.len(),
        contract.operations.len(),
        "one name for two operations"
    );
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    let pointer = to.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
                }
                fields.values().for_each(|value| walk(value, document));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, document)),
            _ => {}
        }
    }
    let document = serde_json::to_value(openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    walk(&document, &document);
}

/// Requests as people write them, one or two for each operation that is there from the start.
#[test]
fn examples_pass() {
    struct Examples(Value, Vec<(&'static str, Value)>, usize);
    impl ForEach for Examples {
        fn operation<O: Operation>(&mut self) {
            let schema = BodySchema::new(O::NAME, &O::Request::name(), &self.0);
            for (_, body) in self.1.iter().filter(|(name, _)| *name == O::NAME) {
                let read = schema.read::<O::Request>(body.to_string().as_bytes());
                assert!(read.is_ok(), "{}: {body:#}: {:?}", O::NAME, read.err());
                self.2 += 1;
            }
        }
    }
    let key = json!({ "keyId": "key_4Jc9fPqK2mWzR7tB" });
    let examples = vec![
        ("apis.createApi", json!({ "name": "orders" })),
        ("apis.getApi", json!({ "apiId": "api_4Jc9fPqK2mWzR7tB" })),
        ("apis.deleteApi", json!({ "apiId": "api_4Jc9fPqK2mWzR7tB" })),
        (
            "keys.createKey",
            json!({
                "apiId": "api_4Jc9fPqK2mWzR7tB", "byteLength": 16, "enabled": true, "recoverable": false
            }),
        ),
        (
            "keys.createKey",
            json!({
                "apiId": "api_4Jc9fPqK2mWzR7tB", "prefix": "sk_live", "name": "Acme's",
                "externalId": "acme-1.eu", "meta": { "plan": "pro" }, "roles": ["reader"],
                "permissions": ["orders.read", "orders.*"], "expires": 1_900_000_000_000_i64,
                "credits": {
                    "remaining": 10,
                    "refill": { "interval": "monthly", "amount": 10, "refillDay": 31 }
                },
                "ratelimits": [{ "name": "requests", "limit": 5, "duration": 1000, "autoApply": true }]
            }),
        ),
        (
            "keys.getKey",
            json!({ "keyId": "key_4Jc9fPqK2mWzR7tB", "decrypt": false }),
        ),
        (
            "keys.deleteKey",
            json!({ "keyId": "key_4Jc9fPqK2mWzR7tB", "permanent": false }),
        ),
        (
            "keys.verifyKey",
            json!({
                "key": "sk_live_abc", "permissions": "orders.read AND (a OR b)", "tags": ["path=/x"],
                "credits": { "cost": 0 }, "ratelimits": [{ "name": "requests", "cost": 1 }]
            }),
        ),
        (
            "keys.rerollKey",
            json!({ "keyId": "key_4Jc9fPqK2mWzR7tB", "expiration": 0 }),
        ),
        (
            "keys.rerollKey",
            json!({ "keyId": "key_4Jc9fPqK2mWzR7tB", "expiration": null }),
        ),
        ("keys.getRotation", key.clone()),
        ("keys.finishRotation", key.clone()),
        ("keys.cancelRotation", key),
    ];
    let all = examples.len();
    let document = serde_json::to_value(openapi()).unwrap();
    let mut examples = Examples(document["components"].clone(), examples, 0);
    each(&mut examples);
    assert_eq!(
        examples.2, all,
        "an example of an operation that there is not"
    );
}
