package consumers

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// checkScript: exactly one of the two says what to run.
func checkScript(c *cim.Instance) error {
	engine, _ := text(c, "ScriptingEngine")
	_, inline := text(c, "ScriptText")
	_, file := text(c, "ScriptFileName")
	switch {
	case engine == "":
		return invalid("ScriptingEngine is missing")
	case inline == file:
		return invalid("exactly one of ScriptText and ScriptFileName is needed")
	}
	return nil
}

func (p *Provider) refuseScript(context.Context, cim.Caller, *cim.Instance, *expansion) error {
	return noScripts()
}

func noScripts() error {
	return &cim.Error{Status: cim.ErrProviderNotCapable, Detail: "this machine has no scripting engine; use a CommandLineEventConsumer"}
}
