use super::*;

fn put(memory: &KeyMemory, hash: Hash, facts: Option<&KeyFacts>) {
    let before = memory.part(&hash).forgotten;
    memory.part(&hash).put(&hash, facts, before);
}

#[test]
fn what_is_forgotten_during_a_look_up_is_not_remembered() {
    let memory = KeyMemory::new(1 << 20);
    let (hash, key) = (Hash::of("a"), KeyFacts::plain("key_1"));
    for touched in [Touched::key(hash), Touched::All] {
        let before = memory.part(&hash).forgotten;
        // What the look-up found is what was: the change is answered before it is remembered.
        memory.forget(&touched);
        memory.part(&hash).put(&hash, Some(&key), before);
        assert_eq!(memory.part(&hash).get(&hash), None, "{touched:?}");
    }
    put(&memory, hash, Some(&key));
    assert_eq!(memory.part(&hash).get(&hash), Some(Some(key)));
    memory.forget(&Touched::key(hash));
    assert_eq!(memory.part(&hash).get(&hash), None);
}

#[test]
fn that_there_is_no_key_is_remembered_too() {
    let memory = KeyMemory::new(1 << 20);
    put(&memory, Hash::of("a"), None);
    assert_eq!(memory.part(&Hash::of("a")).get(&Hash::of("a")), Some(None));
    assert_eq!(memory.len(), 1);
}

#[test]
fn words_that_no_two_keys_have_in_common_take_no_more_than_their_part() {
    let memory = KeyMemory::new(1 << 20);
    for number in 0..20_000 {
        let mut key = KeyFacts::plain("key_1");
        key.permissions = vec![format!("documents.{number}.read").into()];
        put(&memory, Hash::of(&number.to_string()), Some(&key));
    }
    for part in &memory.parts {
        let part = lock(part);
        assert!(part.words.bytes() <= part.most_words + 200);
    }
    let last = Hash::of("19999");
    let found = memory.part(&last).get(&last).flatten().unwrap();
    assert_eq!(*found.permissions[0], *"documents.19999.read");
}
