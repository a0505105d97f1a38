//! Kea's configuration is JSON with comments in it, which other readers refuse.

/// The text with blanks in the place of comments: lines stay where they are.
pub(super) fn without(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let (mut in_string, mut escaped) = (false, false);
    while let Some(c) = rest.next() {
        if in_string {
            plain.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match (c, rest.peek()) {
            ('#', _) | ('/', Some('/')) => while rest.next_if(|c| *c != '\n').is_some() {},
            ('/', Some('*')) => {
                let mut before = ' ';
                rest.next();
                for c in rest.by_ref() {
                    plain.extend((c == '\n').then_some(c));
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            _ => {
                in_string = c == '"';
                plain.push(c);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_strings_stay() {
        let text = "{ # one\n \"a//b\": \"\\\"#\", // two\n /* three\n four */ \"c\": 1 }";
        assert_eq!(without(text), "{ \n \"a//b\": \"\\\"#\", \n \n \"c\": 1 }");
        assert_eq!(without("/*"), "");
    }
}
