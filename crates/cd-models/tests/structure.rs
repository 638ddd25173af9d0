//! The files of this crate and which of them need which: no loop but that of networks, their registry and taps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that may need each other in a circle: a network has an entry in the registry, which lists the networks.
const MAY_LOOP: [&str; 3] = ["net", "registry", "classifier"];

/// Name of a module, such as `train::config`, and the text of its file; the crate's root has the empty name.
type Modules = BTreeMap<String, String>;

fn modules(folder: &Path, name: &str, found: &mut Modules) {
    for entry in fs::read_dir(folder).expect("a folder of the crate") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let stem = stem.expect("names of modules are text");
        let inner = match (name, stem) {
            (_, "lib") => String::new(),
            ("", stem) => stem.to_owned(),
            (name, stem) => format!("{name}::{stem}"),
        };
        if ["tests", "mutations"].contains(&stem) {
            continue;
        }
        if path.is_dir() {
            modules(&path, &inner, found);
        } else {
            let text = fs::read_to_string(&path).expect("text");
            found.insert(inner, without_tests(&text));
        }
    }
}

/// The text before the inner module of tests, without comments and visibilities.
fn without_tests(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests").next();
    let code = code.and_then(|code| code.split("\n#[cfg(all(test").next());
    let lines = code.unwrap_or_default().lines();
    let code = lines.map(|line| line.split("//").next().unwrap_or_default());
    let code = code.map(|line| match line.split_once("pub(") {
        Some((before, after)) => {
            let after = after.split_once(')').map_or("", |(_, after)| after);
            format!("{before}pub{after}")
        }
        None => line.to_owned(),
    });
    code.collect::<Vec<_>>().join("\n")
}

/// Every path of names that the text holds, groups such as `a::{b, c::d}` written out.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        let mut path = Vec::new();
        rest = &rest[at..];
        rest = follow(rest, &mut path, &mut found);
    }
    found
}

/// Reads a path that begins with a name; `path` is what stands before it.
fn follow<'a>(text: &'a str, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    path.push(name.to_owned());
    let Some(inner) = rest.strip_prefix("::") else {
        found.push(path.clone());
        return rest;
    };
    if let Some(group) = inner.strip_prefix('{') {
        let mut rest = group;
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || "_}".contains(c)) {
            rest = &rest[at..];
            if let Some(behind) = rest.strip_prefix('}') {
                return behind;
            }
            let mut longer = path.clone();
            rest = follow(rest, &mut longer, found);
        }
        return rest;
    }
    if inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return follow(inner, path, found);
    }
    // A glob, or the type parameters of a function.
    path.push("*".to_owned());
    found.push(path.clone());
    inner
}

/// The modules that `name` needs: those that its paths lead into.
fn needs(name: &str, text: &str, modules: &Modules) -> BTreeSet<String> {
    let own: Vec<&str> = name.split("::").filter(|part| !part.is_empty()).collect();
    let mut found = BTreeSet::new();
    for path in paths(text).iter().filter(|path| path.len() > 1) {
        let mut parts = path.iter().map(String::as_str).peekable();
        let is_of_crate = ["crate", "super", "self"].contains(&path[0].as_str());
        let mut whole = own.clone();
        while let Some(upwards) = parts.next_if(|part| ["crate", "super", "self"].contains(part)) {
            match upwards {
                "crate" => whole.clear(),
                "super" => drop(whole.pop()),
                _ => {}
            }
        }
        whole.extend(parts);
        let outwards = (0..=whole.len()).rev().map(|end| whole[..end].join("::"));
        let mut leads_to = outwards.filter(|target| modules.contains_key(target));
        let target = leads_to.next().unwrap_or_default();
        // Any other path names a module inside of this one, or nothing of the crate.
        if target != name && (is_of_crate || target.len() > name.len()) {
            found.insert(target);
        }
    }
    found
}

/// Everything that can be reached from `start`, itself only through a loop.
fn reached(start: &str, graph: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![start.to_owned()];
    while let Some(name) = open.pop() {
        for next in &graph[&name] {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

/// Modules that reach themselves, but for those that may.
fn loops(modules: &Modules) -> Vec<String> {
    let graph: BTreeMap<String, BTreeSet<String>> = modules
        .iter()
        .map(|(name, text)| (name.clone(), needs(name, text, modules)))
        .collect();
    let may = |name: &&String| {
        let first = name.split("::").next();
        first.is_some_and(|first| MAY_LOOP.contains(&first))
    };
    let looped = graph
        .keys()
        .filter(|name| reached(name, &graph).contains(*name));
    let looped = looped.filter(|name| !may(name)).cloned();
    looped.collect()
}

fn of_this_crate() -> Modules {
    let mut found = Modules::new();
    let source = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    modules(&source, "", &mut found);
    found
}

#[test]
fn only_networks_and_their_registry_need_each_other() {
    let modules = of_this_crate();
    assert!(modules.len() > 60, "{} files", modules.len());
    let run = needs("train::run", &modules["train::run"], &modules);
    assert!(run.contains("train::epoch"), "{run:?}");
    let looped = loops(&modules);
    assert!(looped.is_empty(), "in a loop: {looped:#?}");
}

#[test]
fn needs_are_found_however_they_are_written() {
    let modules: Modules = ["", "a", "a::b", "a::c", "d", "net", "registry"]
        .into_iter()
        .map(|name| (name.to_owned(), String::new()))
        .collect();
    let all = |name: &str, text: &str| {
        let found = needs(name, &without_tests(text), &modules);
        found.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(all("d", "use crate::a::{b::X, c::{Y, Z}};"), "a::b a::c");
    assert_eq!(
        all("a::b", "use super::c::Y;\nuse super::super::d::W;"),
        "a::c d"
    );
    assert_eq!(
        all("a", "pub use b::X; // c::Y\nfn f() -> self::c::Y {}"),
        "a::b a::c"
    );
    assert_eq!(all("a::b", "let x = crate::d::f(super::g());"), "a d");
    assert_eq!(all("d", "use std::fmt;\nuse cd_core::a::Y;\nmod e;"), "");
    assert_eq!(
        all("d", "f();\n#[cfg(test)]\nmod tests {\n use crate::a::Y;"),
        ""
    );
}

#[test]
fn a_loop_is_found_and_that_of_the_networks_is_let_be() {
    let modules = |texts: &[(&str, &str)]| -> Modules {
        let owned = texts.iter();
        owned
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    };
    let found = loops(&modules(&[
        ("", "pub use a::X; pub use net::Net;"),
        ("a", "use crate::b::Y;"),
        ("b", "use super::c::Z;"),
        ("c", "use crate::a::X;"),
        ("d", "use crate::a::X;"),
        ("net", "use crate::registry::Entry;"),
        ("registry", "use crate::net::Net;"),
    ]));
    assert_eq!(found, ["a", "b", "c"]);
}
