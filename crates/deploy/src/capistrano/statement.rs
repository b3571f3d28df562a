//! Tokens to statements: where each begins and ends, and which have blocks.

use super::token::{Located, Token};

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    /// Its first line, from 1.
    pub line: usize,
    /// Its tokens, without its end.
    pub tokens: Vec<Located>,
    /// Whether other statements are in it: a task, a condition, a loop.
    pub has_block: bool,
}

/// Words that open a block at the beginning of a statement.
const OPENERS: [&str; 10] =
    ["if", "unless", "case", "while", "until", "for", "begin", "def", "class", "module"];

/// Words whose own `do` opens no further block.
const LOOPS: [&str; 3] = ["while", "until", "for"];

/// All statements, in order.
pub(super) fn statements(tokens: Vec<Located>) -> Vec<Statement> {
    let mut splitter = Splitter::default();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(located) = tokens.next() {
        if located.token == Token::End {
            // A call chain may continue on the next line.
            let goes_on =
                matches!(tokens.peek().map(|next| &next.token), Some(Token::Mark("." | "&.")));
            splitter.end(goes_on);
        } else {
            splitter.take(located);
        }
    }
    splitter.finish()
}

#[derive(Default)]
struct Splitter {
    done: Vec<Statement>,
    tokens: Vec<Located>,
    has_block: bool,
    /// Open brackets of any kind.
    brackets: usize,
    /// Open blocks.
    blocks: usize,
    /// Whether the next word is the first of a statement.
    is_first: bool,
    /// Whether a loop's own `do` is to come.
    awaits_do: bool,
}

impl Splitter {
    fn take(&mut self, located: Located) {
        let is_first = self.is_first || self.tokens.is_empty();
        let after_dot = matches!(
            self.tokens.last().map(|last| &last.token),
            Some(Token::Mark("." | "&." | "::"))
        );
        self.is_first = false;
        match &located.token {
            Token::Mark("(" | "[" | "{") => self.brackets += 1,
            Token::Mark(")" | "]" | "}") => self.brackets = self.brackets.saturating_sub(1),
            Token::Mark("=") => self.is_first = true,
            Token::Word(word) if !after_dot => {
                let word = word.clone();
                self.word(&word, is_first);
            }
            _ => {}
        }
        self.tokens.push(located);
    }

    fn word(&mut self, word: &str, is_first: bool) {
        match word {
            "do" if self.awaits_do => self.awaits_do = false,
            "do" => self.open(),
            "end" => self.blocks = self.blocks.saturating_sub(1),
            opener if is_first && OPENERS.contains(&opener) => {
                self.open();
                self.awaits_do = LOOPS.contains(&opener);
            }
            _ => {}
        }
    }

    fn open(&mut self) {
        self.blocks += 1;
        self.has_block = true;
    }

    /// The end of a line.
    fn end(&mut self, goes_on: bool) {
        self.awaits_do = false;
        if self.blocks > 0 {
            self.is_first = true;
            return;
        }
        let wants_more = self.tokens.last().is_some_and(|last| last.token.wants_more());
        if goes_on || wants_more || self.brackets > 0 {
            return;
        }
        self.close();
    }

    fn close(&mut self) {
        let tokens = std::mem::take(&mut self.tokens);
        let has_block = std::mem::take(&mut self.has_block);
        (self.brackets, self.blocks, self.is_first) = (0, 0, false);
        if let Some(first) = tokens.first() {
            self.done.push(Statement { line: first.line, has_block, tokens });
        }
    }

    fn finish(mut self) -> Vec<Statement> {
        self.close();
        self.done
    }
}
