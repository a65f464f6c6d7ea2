//! `docs/reference.md`, from what the programs say of themselves: the schema of scenarios, and the help of each command.

use serde_json::{Map, Value};
use std::fmt::Write;

const HEAD: &str = "\
# Reference

Every key of a scenario, every check and probe, every command and option. This page is generated from the programs:
`UPDATE_BOOK=1 cargo test -p book --test reference` writes it anew, and a test fails where it is not what they say.
[Writing a scenario](scenario.md) tells how it is meant.

";

/// A program and what it has to say.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Of the program (an empty name) and of each command: the words after its name, and what `-h` prints.
    pub helps: Vec<(String, String)>,
}

/// The page, from what `fabric-sim schema` prints and the help of these programs.
///
/// # Errors
/// What of it cannot be understood.
pub fn reference(schema: &Value, programs: &[Program]) -> Result<String, String> {
    let mut page = HEAD.to_owned();
    page += "## Scenario files\n\nA key without a default may be left out, unless it is *required*.\n";
    table(&mut page, schema, schema, "the file itself")?;
    for (path, section) in sections(schema)? {
        table(&mut page, schema, section, &format!("`{path}`"))?;
    }
    quantities(&mut page, schema)?;
    words(&mut page, schema, "Checks: `check.always`", "/$defs/CheckSection/properties/always/items")?;
    words(&mut page, schema, "Checks: `check.eventually`", "/$defs/CheckSection/properties/eventually/propertyNames")?;
    words(&mut page, schema, "Probes: `check.sometimes`", "/$defs/CheckSection/properties/sometimes/items")?;
    words(&mut page, schema, "Men in the middle: `tap`", "/$defs/AttackerSection/properties/tap")?;
    words(&mut page, schema, "Hostile nodes: `hostile`", "/$defs/NodeSection/properties/hostile")?;
    for program in programs {
        commands(&mut page, program)?;
    }
    Ok(page)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn properties(section: &Value) -> Result<&Map<String, Value>, String> {
    section.get("properties").and_then(Value::as_object).ok_or_else(|| format!("{section} has no keys"))
}

/// The definition that this or its elements are of.
fn referred(property: &Value) -> Option<&str> {
    let places = ["/$ref", "/anyOf/0/$ref", "/items/$ref", "/additionalProperties/$ref"];
    let reference = places.iter().find_map(|place| property.pointer(place)?.as_str());
    reference.and_then(|reference| reference.strip_prefix("#/$defs/"))
}

/// Every table, in the order in which a reader of the file meets it, with its path.
fn sections(schema: &Value) -> Result<Vec<(String, &Value)>, String> {
    let (mut found, mut open) = (Vec::new(), vec![(String::new(), schema)]);
    while let Some((path, section)) = open.pop() {
        let mut inner = Vec::new();
        for (key, property) in properties(section)? {
            let definition = referred(property).map(|name| &schema["$defs"][name]);
            let Some(definition) = definition.filter(|definition| definition.get("properties").is_some()) else {
                continue;
            };
            let key = match (property.get("additionalProperties"), property.get("items")) {
                (Some(_), _) => format!("{path}{key}.NAME"),
                (_, Some(_)) => format!("{path}{key}[]"),
                _ => format!("{path}{key}"),
            };
            inner.push((format!("{key}."), definition));
        }
        if !path.is_empty() {
            found.push((path.trim_end_matches('.').to_owned(), section));
        }
        open.extend(inner.into_iter().rev());
    }
    Ok(found)
}

/// One line, safe in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn table(page: &mut String, schema: &Value, section: &Value, name: &str) -> Result<(), String> {
    let about = cell(text(section, "description").unwrap_or_default());
    let _ = write!(
        page,
        "\n### {name}\n\n{about}\n\n| key | type | default | bounds | meaning |\n| --- | --- | --- | --- | --- |\n"
    );
    let required: Vec<_> = section["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, property) in properties(section)? {
        let default = match property.get("default") {
            Some(Value::String(default)) if default.is_empty() => "nothing".to_owned(),
            Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
            Some(default) => format!("`{default}`"),
            None if required.contains(&key.as_str()) => "*required*".to_owned(),
            None => String::new(),
        };
        let meaning =
            text(property, "description").ok_or_else(|| format!("`{key}` of {name} says not what it means"))?;
        let (kind, bounds) = (kind(schema, property), bounds(property));
        let _ = writeln!(page, "| `{key}` | {kind} | {default} | {bounds} | {} |", cell(meaning));
    }
    Ok(())
}

/// What is to be written for a key, with its unit.
fn kind(schema: &Value, property: &Value) -> String {
    let of = |inner: &Value| kind(schema, inner);
    if let Some(name) = referred(property) {
        let definition = &schema["$defs"][name];
        let one = text(definition, "title").map_or_else(|| "table".to_owned(), unit);
        return match text(property, "type") {
            Some("array") => format!("list of {one}s"),
            Some("object") => format!("{one}s by name"),
            _ => one,
        };
    }
    if let Some(title) = text(property, "title") {
        return unit(title);
    }
    match text(property, "type") {
        Some("array") => format!("list of {}s", property.get("items").map_or_else(|| "value".to_owned(), of)),
        Some("object") => {
            let values = property.get("additionalProperties").map_or_else(|| "value".to_owned(), of);
            format!("{values}s by name")
        }
        Some("string") => "text".to_owned(),
        Some("boolean") => "`true`".to_owned(),
        Some("integer") => "number".to_owned(),
        _ => "value".to_owned(),
    }
}

/// `ClockRate` as `clock rate`.
fn unit(title: &str) -> String {
    let mut words = String::new();
    for letter in title.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn bounds(property: &Value) -> String {
    if let Some(words) = property.get("enum").or_else(|| property.pointer("/items/enum")).and_then(Value::as_array) {
        return words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    let of = |names: &[&str]| names.iter().find_map(|name| property.get(*name)).and_then(Value::as_u64);
    let range = |least: Option<u64>, most: Option<u64>, noun: &str| match (least, most) {
        (Some(least), Some(most)) if least == most => Some(format!("{most}{noun}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{noun}")),
        (None, Some(most)) => Some(format!("at most {most}{noun}")),
        _ => None,
    };
    let value = range(of(&["x-minimum", "minimum"]), of(&["x-maximum", "maximum"]), "");
    let length = range(of(&["minLength"]), of(&["maxLength"]), " bytes");
    let items = range(of(&["minItems"]), of(&["maxItems"]), " entries");
    value.or(length).or(items).unwrap_or_default()
}

/// The units, which are definitions with a title and no keys, wherever they are.
fn quantities(page: &mut String, schema: &Value) -> Result<(), String> {
    page.push_str("\n### Quantities\n\n| type | what it is |\n| --- | --- |\n");
    let mut units = std::collections::BTreeMap::new();
    collect(schema, &mut units);
    for (title, definition) in units {
        let what = text(definition, "description").ok_or_else(|| format!("{title} says not what it is"))?;
        let _ = writeln!(page, "| {} | {} |", unit(title), cell(what));
    }
    Ok(())
}

fn collect<'a>(value: &'a Value, units: &mut std::collections::BTreeMap<&'a str, &'a Value>) {
    if let Some(definitions) = value.get("$defs").and_then(Value::as_object) {
        for definition in definitions.values().filter(|definition| definition.get("properties").is_none()) {
            units.extend(text(definition, "title").map(|title| (title, definition)));
        }
    }
}

/// A table of words that can be written somewhere.
fn words(page: &mut String, schema: &Value, title: &str, place: &str) -> Result<(), String> {
    let words = schema.pointer(place).and_then(|place| place.get("oneOf")?.as_array());
    let words = words.ok_or_else(|| format!("the schema has no words at {place}"))?;
    let _ = write!(page, "\n### {title}\n\n| name | meaning |\n| --- | --- |\n");
    for word in words {
        let (Some(name), Some(meaning)) = (text(word, "const"), text(word, "description")) else {
            return Err(format!("{word} at {place} lacks its name or its meaning"));
        };
        let _ = writeln!(page, "| `{name}` | {} |", cell(meaning));
    }
    Ok(())
}

/// The commands of a program. What `-h` prints has one line for each argument and option.
fn commands(page: &mut String, program: &Program) -> Result<(), String> {
    let Program { name, helps } = program;
    let _ = write!(page, "\n## `{name}`\n");
    for (command, help) in helps {
        let mut lines = help.lines();
        let about = lines.next().unwrap_or_default();
        let usage = lines.find_map(|line| line.strip_prefix("Usage: "));
        let usage = usage.ok_or_else(|| format!("`{name} {command} -h` says not how it is used"))?;
        if command.is_empty() {
            let _ = write!(page, "\n{about}.\n");
            let codes = section(help, "Exit codes:");
            if codes.is_empty() {
                return Err(format!("`{name} -h` has no exit codes"));
            }
            page.push_str("\n| exit code | meaning |\n| --- | --- |\n");
            for (code, meaning) in codes {
                let _ = writeln!(page, "| {code} | {} |", cell(&meaning));
            }
            continue;
        }
        let _ = write!(page, "\n### `{name} {command}`\n\n{about}.\n\n    {usage}\n");
        let rows: Vec<_> = ["Arguments:", "Options:"].iter().flat_map(|title| section(help, title)).collect();
        let rows: Vec<_> = rows.iter().filter(|(what, _)| !what.contains("--help")).collect();
        if !rows.is_empty() {
            page.push_str("\n| argument | meaning |\n| --- | --- |\n");
        }
        for (what, meaning) in rows {
            if meaning.is_empty() {
                return Err(format!("`{name} {command} -h` says not what {what} is"));
            }
            let _ = writeln!(page, "| `{}` | {} |", cell(what), cell(meaning));
        }
    }
    Ok(())
}

/// The rows below `title`: a name, two blanks or more, and what it means.
fn section(help: &str, title: &str) -> Vec<(String, String)> {
    let lines = help.lines().skip_while(|line| *line != title).skip(1).take_while(|line| !line.is_empty());
    let row = |line: &str| {
        let (name, meaning) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
        (name.to_owned(), meaning.trim().to_owned())
    };
    lines.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        let words = json!({ "oneOf": [{ "const": "a-word", "description": "It | means." }] });
        json!({
            "description": "A file.",
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "description": "Its\nname." },
                "links": { "type": "object", "additionalProperties": { "$ref": "#/$defs/Link" }, "description": "How." },
            },
            "$defs": {
                "Link": { "description": "A link.", "properties": {
                    "mtu": { "anyOf": [{ "$ref": "#/$defs/Size" }], "description": "Longest.", "default": 9, "x-minimum": 1, "x-maximum": 99 },
                } },
                "Size": { "title": "Size", "description": "a size" },
                "CheckSection": { "properties": {
                    "always": { "items": words }, "eventually": { "propertyNames": words }, "sometimes": { "items": words },
                } },
                "AttackerSection": { "properties": { "tap": words } },
                "NodeSection": { "properties": { "hostile": words } },
            },
        })
    }

    #[test]
    fn keys_words_and_options_are_told() {
        let helps = [
            ("", "Does it\n\nUsage: it <COMMAND>\n\nExit codes:\n  0    done\n"),
            (
                "go",
                "Go\n\nUsage: it go [OPTIONS] <X>\n\nArguments:\n  <X>  Where\n\nOptions:\n      --far <N>  How far [default: 1]\n  -h, --help  Help\n",
            ),
        ];
        let helps = helps.map(|(command, help)| (command.to_owned(), help.to_owned())).to_vec();
        let page = reference(&schema(), &[Program { name: "it".into(), helps }]).unwrap();
        for line in [
            "| `name` | text | *required* |  | Its name. |",
            "### `links.NAME`",
            "| `mtu` | size | `9` | 1 to 99 | Longest. |",
            "| size | a size |",
            "| `a-word` | It \\| means. |",
            "| 0 | done |",
            "    it go [OPTIONS] <X>",
            "| `<X>` | Where |",
            "| `--far <N>` | How far [default: 1] |",
        ] {
            assert!(page.lines().any(|other| other == line), "{line}\n{page}");
        }
        assert!(!page.contains("--help"));
    }

    #[test]
    fn what_says_not_what_it_means_is_refused() {
        let mut mute = schema();
        mute["properties"]["name"] = json!({ "type": "string" });
        assert!(reference(&mute, &[]).unwrap_err().contains("`name`"));
        let program = Program { name: "it".into(), helps: vec![("go".into(), "Go\n".into())] };
        assert!(reference(&schema(), &[program]).unwrap_err().contains("it go -h"));
    }
}
