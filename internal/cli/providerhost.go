package cli

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/casementhq/casement/service"
)

func init() { subcommands = append(subcommands, newProviderHost) }

func newProviderHost(s Streams) *cobra.Command {
	return &cobra.Command{
		Use: service.HostCommand + " NAME SERVER", Hidden: true, Args: cobra.ExactArgs(2),
		Short: "A provider in a process of the user whose files it reads; it is started by the service",
		RunE: func(c *cobra.Command, args []string) error {
			// It was started by a name that says nothing in a list of processes.
			_ = os.WriteFile("/proc/self/comm", []byte("casement"), 0)
			log := slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return service.ServeProviderHost(c.Context(), args[0], args[1], stdio{s.In, s.Out}, log)
		},
	}
}

// stdio is standard input and output as one stream.
type stdio struct {
	io.Reader
	io.Writer
}

// Close ends the input, where it can be.
func (s stdio) Close() error {
	if c, ok := s.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
