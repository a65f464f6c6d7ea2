//! The book is tested and its reference is generated.
//!
//! Reads the `console` blocks of a page of the book, runs their commands in order, and compares exit codes and what is
//! printed with what the page shows. Knows no program: whoever calls it says which there are.
//!
//! A block's commands begin with `$ `, and what they print follows: all of it, `...` standing for any lines, `…` for any text in a line. `ID`, `HUB_ID` and
//! the like stand for 64 hex digits: the first that are printed there are meant from then on, in commands too. Comments
//! before a block, which readers do not see, say what else is to be known:
//!
//! | comment | meaning |
//! | --- | --- |
//! | `<!-- exit: 1 -->` | the exit codes of the block's commands, in order; the last counts for all further ones. 0 unless said |
//! | `<!-- runs with: A => B -->` | A in the block is B when it is run: a smaller number, a world that is everywhere |
//! | `<!-- numbers vary -->` | any digits are as good as those shown |
//! | `<!-- says: yes -->` | what its person answers when it asks |

mod links;
mod page;
mod reference;
mod run;
mod shown;

pub use links::dead_links;
pub use page::{Step, steps};
pub use reference::{Program, reference};
pub use run::{Ends, Shell};
