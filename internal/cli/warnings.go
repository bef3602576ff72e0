package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// warnings prints the warnings of a client as lines of the program's own, without
// time and level. The rest of its log goes nowhere.
type warnings struct{ w io.Writer }

func newWarnings(w io.Writer) *slog.Logger { return slog.New(warnings{w}) }

func (warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (h warnings) Handle(_ context.Context, r slog.Record) error {
	_, err := fmt.Fprintf(h.w, "casement: warning: %s\n", r.Message)
	return err
}

func (h warnings) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h warnings) WithGroup(string) slog.Handler { return h }
