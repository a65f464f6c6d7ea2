//! The commands of a page, and what it says of them.

/// What the lines of other blocks must not begin with: such a command would be shown and never run.
const PROGRAMS: [&str; 4] = ["cargo ", "ci/", "fabric-node ", "fabric-sim "];

/// A command of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The line of the page, from 1.
    pub line: usize,
    /// As readers see it, without a comment at its end.
    pub written: String,
    /// As it is run.
    pub command: String,
    /// The lines that it is shown to print; none are shown of a command whose output does not matter.
    pub shown: Vec<String>,
    /// The exit code that it ends with.
    pub exit: i32,
    /// What its person answers when it asks.
    pub answer: Option<String>,
    /// Whether other digits than those shown are as good.
    pub do_numbers_vary: bool,
}

/// What the comments before a block say.
#[derive(Debug, Default)]
struct Notes {
    exits: Vec<i32>,
    /// What is run instead of what, and whether it was found.
    instead: Vec<(String, String)>,
    answer: Option<String>,
    do_numbers_vary: bool,
}

impl Notes {
    /// Takes what a comment says; `None` when that is nothing to us.
    fn take(&mut self, comment: &str) -> Option<()> {
        if let Some(codes) = comment.strip_prefix("exit:") {
            self.exits = codes.split(',').map(|code| code.trim().parse().ok()).collect::<Option<_>>()?;
        } else if let Some(swap) = comment.strip_prefix("runs with:") {
            let (shown, run) = swap.split_once(" => ")?;
            self.instead.push((shown.trim().to_owned(), run.trim().to_owned()));
        } else if let Some(answer) = comment.strip_prefix("says:") {
            self.answer = Some(answer.trim().to_owned());
        } else if comment == "numbers vary" {
            self.do_numbers_vary = true;
        } else {
            return None;
        }
        Some(())
    }

    fn is_empty(&self) -> bool {
        self.exits.is_empty() && self.instead.is_empty() && self.answer.is_none() && !self.do_numbers_vary
    }

    /// The commands of a block whose first line is at `line` of the page.
    fn steps(&self, line: usize, block: &[&str]) -> Result<Vec<Step>, String> {
        for (shown, _) in &self.instead {
            if !block.iter().any(|line| line.contains(shown)) {
                return Err(format!("line {line}: there is no `{shown}` in this block"));
            }
        }
        let as_run = |text: &str| self.instead.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new));
        let mut steps: Vec<Step> = Vec::new();
        for (offset, text) in block.iter().enumerate() {
            if let Some(command) = text.strip_prefix("$ ") {
                let written = command.split(" #").next().unwrap_or_default().trim_end();
                steps.push(Step {
                    line: line + offset,
                    written: written.to_owned(),
                    command: as_run(written),
                    exit: self.exits.get(steps.len()).or(self.exits.last()).copied().unwrap_or(0),
                    answer: self.answer.clone(),
                    do_numbers_vary: self.do_numbers_vary,
                    shown: Vec::new(),
                });
            } else if let Some(step) = steps.last_mut() {
                step.shown.push(as_run(text));
            } else {
                return Err(format!("line {}: a block begins with a command: `$ ...`", line + offset));
            }
        }
        Ok(steps)
    }
}

/// The commands of a page, in order.
///
/// # Errors
/// What in the page cannot be understood, or would never be run.
pub fn steps(page: &str) -> Result<Vec<Step>, String> {
    let lines: Vec<_> = page.lines().collect();
    let (mut steps, mut notes, mut at) = (Vec::new(), Notes::default(), 0);
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<_> = lines[at..].iter().copied().take_while(|line| *line != "```").collect();
            if language == "console" {
                steps.extend(notes.steps(number + 1, &block)?);
            } else if let Some(command) = block.iter().find(|line| PROGRAMS.iter().any(|name| line.starts_with(name))) {
                return Err(format!("line {number}: `{command}` is in no console block, where it would be run"));
            } else if !notes.is_empty() {
                return Err(format!("line {number}: what is said of a block is for console blocks"));
            }
            at += block.len() + 1;
            notes = Notes::default();
        } else if let Some(comment) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
            notes.take(comment).ok_or_else(|| format!("line {number}: what does `{comment}` mean?"))?;
        } else if !(line.is_empty() || notes.is_empty()) {
            return Err(format!("line {number}: what is said of a block comes right before it"));
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_with_what_is_shown_and_said_of_them() {
        let page = "Text\n\n<!-- exit: 1, 0 -->\n<!-- runs with: 1000 => 10 -->\n```console\n$ a 1000   # why\n1000 runs\n$ b\n$ c\n```\n";
        let steps = steps(page).unwrap();
        let of = |step: &Step| (step.line, step.written.clone(), step.command.clone(), step.exit);
        assert_eq!(of(&steps[0]), (6, "a 1000".into(), "a 10".into(), 1));
        assert_eq!(steps[0].shown, ["10 runs"]);
        assert_eq!((of(&steps[1]).3, of(&steps[2]).3), (0, 0));
    }

    #[test]
    fn what_would_never_be_run_or_means_nothing_is_refused() {
        for (page, why) in [
            ("```\nfabric-sim run x.toml\n```\n", "is in no console block"),
            ("```console\nno command\n```\n", "begins with a command"),
            ("<!-- exit: one -->\n```console\n$ a\n```\n", "what does"),
            ("<!-- exit: 1 -->\ntext\n", "comes right before it"),
            ("<!-- exit: 1 -->\n```toml\n```\n", "for console blocks"),
            ("<!-- runs with: 7 => 8 -->\n```console\n$ a 6\n```\n", "there is no `7`"),
        ] {
            let error = steps(page).unwrap_err();
            assert!(error.contains(why), "{page}: {error}");
        }
    }
}
