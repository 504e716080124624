//! Terraform's expressions as far as a patch follows them. HCL and JSON are both read into these.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ForExpr, FuncCall, ObjectKey, Traversal, TraversalOperator};

use crate::pattern::closing;

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    /// Its first byte in the file.
    pub(super) at: usize,
    /// Its first line as it is written, for messages.
    pub(super) written: String,
    pub(super) form: Form,
}

/// What kind of expression it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// A number, a boolean, or a text without interpolation.
    Literal {
        text: String,
        /// The bytes of the file that are exactly `text`; `None` if it is escaped, or inside a JSON string.
        bytes: Option<Range<usize>>,
    },
    /// A text with `${…}`, without its quotes.
    Template(String),
    /// `local.functions["a"].memory`: a root and the steps from it.
    Path(String, Vec<Step>),
    /// An object: keys and values.
    Map(Vec<(Term, Term)>),
    List(Vec<Term>),
    Call(String, Vec<Term>),
    /// `{ for key, value in of : new_key => new_value }`, without a condition.
    For(Box<For>),
    /// Anything else.
    Computed,
}

/// An object made of another collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct For {
    pub(super) key: Option<String>,
    pub(super) value: String,
    pub(super) of: Term,
    pub(super) new_key: Term,
    pub(super) new_value: Term,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// `.name`
    Name(String),
    /// `[expression]`
    At(Term),
}

impl Term {
    /// The text of a literal.
    pub(super) fn literal(&self) -> Option<&str> {
        match &self.form {
            Form::Literal { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is the path `root.name`, with nothing behind it.
    pub(super) fn is_path(&self, root: &str, name: &str) -> bool {
        let Form::Path(start, steps) = &self.form else {
            return false;
        };
        start == root && matches!(steps.as_slice(), [Step::Name(only)] if only == name)
    }

    /// Whether it is `name` and nothing more.
    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(&self.form, Form::Path(root, steps) if root == name && steps.is_empty())
    }

    /// The same in a text that has `by` more bytes before it.
    pub(super) fn moved(self, by: usize) -> Self {
        let each = |terms: Vec<Self>| terms.into_iter().map(|term| term.moved(by)).collect();
        let form = match self.form {
            Form::Literal { text, bytes } => Form::Literal {
                text,
                bytes: bytes.map(|bytes| bytes.start + by..bytes.end + by),
            },
            Form::Path(root, steps) => {
                let steps = steps.into_iter().map(|step| match step {
                    Step::At(term) => Step::At(term.moved(by)),
                    name @ Step::Name(_) => name,
                });
                Form::Path(root, steps.collect())
            }
            Form::Map(entries) => {
                let entries = entries.into_iter();
                Form::Map(
                    entries
                        .map(|(key, value)| (key.moved(by), value.moved(by)))
                        .collect(),
                )
            }
            Form::List(items) => Form::List(each(items)),
            Form::Call(name, args) => Form::Call(name, each(args)),
            Form::For(of) => Form::For(Box::new(For {
                of: of.of.moved(by),
                new_key: of.new_key.moved(by),
                new_value: of.new_value.moved(by),
                ..*of
            })),
            same @ (Form::Template(_) | Form::Computed) => same,
        };
        Self {
            at: self.at + by,
            form,
            ..self
        }
    }

    /// Whether it depends on the entry of `for_each`.
    pub(super) fn mentions_each(&self) -> bool {
        match &self.form {
            Form::Path(root, steps) => {
                let mut steps = steps.iter();
                root == "each"
                    || steps.any(|step| matches!(step, Step::At(term) if term.mentions_each()))
            }
            Form::Call(_, args) => args.iter().any(Self::mentions_each),
            _ => false,
        }
    }
}

/// The bytes that expressions are read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'t> {
    pub(super) text: &'t str,
    /// Of an expression inside a JSON string: where that string begins. Its own bytes are not the file's.
    pub(super) inside: Option<usize>,
}

impl Source<'_> {
    /// Reads an expression that was parsed from this text.
    pub(super) fn term(self, value: &Expression) -> Term {
        let span = value.span().unwrap_or_default();
        let form = match value {
            Expression::Number(_) | Expression::Bool(_) => self.plain(&span),
            Expression::String(text) => self.quoted(text, &span),
            Expression::StringTemplate(_) => {
                let written = self.text.get(span.clone()).unwrap_or_default();
                let inner = written
                    .strip_prefix('"')
                    .and_then(|of| of.strip_suffix('"'));
                inner.map_or(Form::Computed, |text| Form::Template(text.to_owned()))
            }
            Expression::Array(items) => {
                Form::List(items.iter().map(|item| self.term(item)).collect())
            }
            Expression::Object(object) => {
                let entries = object.iter();
                Form::Map(
                    entries
                        .map(|(key, value)| (self.key(key), self.term(value.expr())))
                        .collect(),
                )
            }
            Expression::Parenthesis(inner) => return self.term(inner.inner()),
            Expression::Variable(name) => Form::Path(name.as_str().to_owned(), Vec::new()),
            Expression::Traversal(traversal) => self.path(traversal),
            Expression::FuncCall(call) => self.call(call),
            Expression::ForExpr(of) => self.made_of(of),
            _ => Form::Computed,
        };
        self.placed(&span, form)
    }

    fn placed(self, span: &Range<usize>, form: Form) -> Term {
        let written = self.text.get(span.clone()).unwrap_or_default();
        Term {
            at: self.inside.unwrap_or(span.start),
            written: written.lines().next().unwrap_or_default().to_owned(),
            form,
        }
    }

    fn plain(self, span: &Range<usize>) -> Form {
        let text = self.text.get(span.clone()).unwrap_or_default().to_owned();
        let bytes = self.inside.is_none().then(|| span.clone());
        Form::Literal { text, bytes }
    }

    fn quoted(self, text: &str, span: &Range<usize>) -> Form {
        let bytes = span.start + 1..(span.start + 1 + text.len());
        let same = self.inside.is_none() && self.text.get(bytes.clone()) == Some(text);
        Form::Literal {
            text: text.to_owned(),
            bytes: same.then_some(bytes),
        }
    }

    fn key(self, key: &ObjectKey) -> Term {
        match key {
            ObjectKey::Expression(value) => self.term(value),
            ObjectKey::Ident(name) => {
                let span = name.span().unwrap_or_default();
                let text = name.as_str().to_owned();
                self.placed(&span, Form::Literal { text, bytes: None })
            }
        }
    }

    fn path(self, traversal: &Traversal) -> Form {
        let Expression::Variable(root) = &traversal.expr else {
            return Form::Computed;
        };
        let operators = traversal.operators.iter();
        let steps = operators.map(|operator| match operator.value() {
            TraversalOperator::GetAttr(name) => Some(Step::Name(name.as_str().to_owned())),
            TraversalOperator::Index(index) => Some(Step::At(self.term(index))),
            _ => None,
        });
        let steps: Option<Vec<Step>> = steps.collect();
        steps.map_or(Form::Computed, |steps| {
            Form::Path(root.as_str().to_owned(), steps)
        })
    }

    fn made_of(self, of: &ForExpr) -> Form {
        // Which entries a condition leaves is known only to Terraform.
        let Some(key) = of
            .key_expr
            .as_ref()
            .filter(|_| of.cond.is_none() && !of.grouping)
        else {
            return Form::Computed;
        };
        let intro = &of.intro;
        Form::For(Box::new(For {
            key: intro.key_var.as_ref().map(|name| name.as_str().to_owned()),
            value: intro.value_var.as_str().to_owned(),
            of: self.term(&intro.collection_expr),
            new_key: self.term(key),
            new_value: self.term(&of.value_expr),
        }))
    }

    fn call(self, call: &FuncCall) -> Form {
        if call.name.is_namespaced() || call.args.expand_final() {
            return Form::Computed;
        }
        let args = call.args.iter().map(|arg| self.term(arg)).collect();
        Form::Call(call.name.name.as_str().to_owned(), args)
    }
}

/// The expression of a text that is one `${…}` and nothing else, as JSON writes every expression. `at` is where
/// the text stands in the file.
pub(super) fn interpolated(text: &str, at: usize) -> Option<Term> {
    let (inside, "") = closing(text.strip_prefix("${")?)? else {
        return None;
    };
    parsed(inside, at)
}

/// An expression that is written inside a text of the file at `at`.
pub(super) fn parsed(inside: &str, at: usize) -> Option<Term> {
    let value: Expression = inside.trim().parse().ok()?;
    let source = Source {
        text: inside.trim(),
        inside: Some(at),
    };
    Some(source.term(&value))
}
