package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxLine bounds a line that is read from the standard input, in bytes.
const maxLine = 64 << 10

// terminal is the file descriptor of a stream that is a terminal.
func terminal(stream any) (fd int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// errNoTerminal is returned where a question cannot be asked.
var errNoTerminal = errors.New("the standard input is no terminal")

// askSecret asks for a secret without echo. It fails with errNoTerminal where
// nobody can answer.
func askSecret(s Streams, question string) (string, error) {
	fd, ok := terminal(s.In)
	if !ok {
		return "", errNoTerminal
	}
	fmt.Fprint(s.Err, question)
	b, err := term.ReadPassword(fd)
	fmt.Fprintln(s.Err)
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return string(b), nil
}

// readLine reads one line without its end. It reads no byte beyond the line, so
// that what follows is left to others.
func readLine(r io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxLine {
		n, err := r.Read(one)
		if n == 1 {
			if one[0] == '\n' {
				return strings.TrimSuffix(string(line), "\r"), nil
			}
			line = append(line, one[0])
			continue
		}
		if err == io.EOF && len(line) > 0 {
			return string(line), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", bufio.ErrTooLong
}

// confirm asks a question that is answered by yes or no; flag is what leaves it out.
func confirm(s Streams, question, flag string) (bool, error) {
	for range 3 {
		fmt.Fprint(s.Err, question+" (Yes/No)? ")
		answer, err := readLine(s.In)
		if err != nil {
			return false, fmt.Errorf("no answer to the question, nothing was changed; %s leaves it out: %w", flag, err)
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
	return false, errors.New("neither yes nor no was answered, nothing was changed")
}
