package cli

import (
	"errors"
	"os"
	"strings"
)

// lineVars are the variables of a prompt: set ones, then windir and systemroot, then
// the environment. Names compare without case.
type lineVars map[string]string

func (v lineVars) lookup(name string) (string, bool) {
	key := strings.ToLower(name)
	if s, ok := v[key]; ok {
		return s, true
	}
	switch key {
	case "windir", "systemroot":
		return `C:\Windows`, true
	case "systemdrive":
		return "C:", true
	}
	return os.LookupEnv(name)
}

// expand replaces %NAME%; a name that is not set stays as it stands, as at the prompt
// of Windows.
func (v lineVars) expand(line string) string {
	var out strings.Builder
	for {
		i := strings.IndexByte(line, '%')
		if i < 0 {
			break
		}
		end := strings.IndexByte(line[i+1:], '%')
		if end < 0 {
			break
		}
		value, ok := v.lookup(line[i+1 : i+1+end])
		if !ok || end == 0 {
			out.WriteString(line[:i+1])
			line = line[i+1:]
			continue
		}
		out.WriteString(line[:i] + value)
		line = line[i+1+end+1:]
	}
	return out.String() + line
}

// errOperator is returned for what cmd.exe would do with other programs.
var errOperator = errors.New("pipes, redirections and & need a shell, this prompt runs one command a line; put the character in double quotes, or ^ before it, to give it to the command")

// splitLine makes the words of a line as a Windows program gets them: blanks divide,
// double quotes hold together, a backslash is itself but before a quote, ^ takes the
// meaning of the next character away outside of quotes. What stands in @{...} stays one
// word with its quotes, since winrm reads those itself.
func splitLine(line string) ([]string, error) {
	var words []string
	for i := skipBlanks(line, 0); i < len(line); i = skipBlanks(line, i) {
		word, next, err := nextWord(line, i)
		if err != nil {
			return nil, err
		}
		words = append(words, word)
		i = next
	}
	return words, nil
}

func skipBlanks(line string, i int) int {
	for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	return i
}

// nextWord reads one word. See the rules of CommandLineToArgvW: 2n backslashes before a
// quote are n backslashes, one more makes the quote a character.
func nextWord(line string, i int) (word string, next int, err error) {
	var out strings.Builder
	quoted := false
	for i < len(line) {
		c := line[i]
		switch {
		case c == '\\':
			n := 0
			for i < len(line) && line[i] == '\\' {
				n++
				i++
			}
			if i == len(line) || line[i] != '"' {
				out.WriteString(strings.Repeat(`\`, n))
				continue
			}
			out.WriteString(strings.Repeat(`\`, n/2))
			if n%2 == 1 {
				out.WriteByte('"')
				i++
			}
			continue
		case c == '"':
			if quoted && i+1 < len(line) && line[i+1] == '"' {
				out.WriteByte('"')
				i++
			} else {
				quoted = !quoted
			}
		case quoted:
			out.WriteByte(c)
		case c == ' ' || c == '\t':
			return out.String(), i, nil
		case c == '@' && strings.HasPrefix(line[i:], "@{"):
			end := closingBrace(line, i+1)
			if end < 0 {
				return "", 0, errors.New("@{ has no }")
			}
			out.WriteString(line[i:end])
			i = end
			continue
		case c == '^':
			if i+1 < len(line) {
				i++
				out.WriteByte(line[i])
			}
		case c == '|' || c == '<' || c == '>' || c == '&':
			return "", 0, errOperator
		default:
			out.WriteByte(c)
		}
		i++
	}
	if quoted {
		return "", 0, errors.New(`a double quote has no end`)
	}
	return out.String(), i, nil
}

// closingBrace is the position behind the brace that closes the one at i, quotes
// heeded, or -1.
func closingBrace(line string, i int) int {
	depth, quoted := 0, false
	for ; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
