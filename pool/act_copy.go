package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/internal/filecopy"
)

// MaxCopy bounds a file that is copied to many servers, in octets.
const MaxCopy = 512 << 10

// CopyParameters are those of KindCopy: a file, whose content goes with the work.
type CopyParameters struct {
	// To is the file or folder on the server.
	To string `json:"to"`
	// Name is that of the file, used where To is a folder.
	Name string `json:"name"`
	Data []byte `json:"data"`
}

var actCopy = act{limit: 10 * time.Minute, check: checkCopy, do: doCopy}

func checkCopy(raw json.RawMessage) error {
	p, err := parse[CopyParameters](raw)
	switch {
	case err != nil:
		return err
	case p.To == "" || p.Name == "" || p.Name != filepath.Base(p.Name) || strings.ContainsAny(p.Name, `/\`) || p.Name == "." || p.Name == "..":
		return invalid("a copy needs where to, and the name of a file")
	case len(p.Data) > MaxCopy:
		return invalid(fmt.Sprintf("the file is larger than %d kB; 'casement cp' copies it to one server", MaxCopy>>10))
	}
	return nil
}

func doCopy(ctx context.Context, j *job) (Result, error) {
	p, err := parse[CopyParameters](j.parameters)
	if err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp("", "casement-copy")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, p.Name)
	if err := os.WriteFile(file, p.Data, 0o600); err != nil {
		return Result{}, err
	}
	c, err := j.proven(ctx)
	if err != nil {
		return Result{}, err
	}
	j.sent = true
	done, err := c.CopyTo(ctx, file, p.To, casement.CopyOptions{})
	if errors.Is(err, filecopy.ErrFar) {
		// It said so, and the file has not taken its name.
		return Result{State: Failed, Words: clean(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""), maxSentence)}, nil
	}
	if err != nil {
		return Result{}, err
	}
	return Result{State: Done, Code: fmt.Sprint(done.Bytes + done.Resumed), Words: "octets"}, nil
}
