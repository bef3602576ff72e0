package wmiclient

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// Subscribe implements cim.Subscriber: events are pulled, so that no connection comes in. See [MS-WMI] 3.1.4.3.20.
func (s *Session) Subscribe(ctx context.Context, query string, o cim.SubscribeOptions) (cim.Enumerator, error) {
	language := o.Language
	if language == "" {
		language = "WQL"
	}
	e := &enumerator{operation: "ExecNotificationQuery", path: query, events: true}
	return s.enumerate(ctx, e, o.OperationOptions, iwbem.OpExecNotificationQuery, "IWbemServices::ExecNotificationQuery", func(values iwbem.Context) request {
		return &iwbem.ExecNotificationQueryRequest{Language: iwbem.String{Text: language}, Query: iwbem.String{Text: query}, Flags: semisynchronous, Context: values}
	})
}
