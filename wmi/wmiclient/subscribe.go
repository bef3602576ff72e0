package wmiclient

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// Subscribe implements cim.Subscriber: events are pulled, so that no connection comes in. See [MS-WMI] 3.1.4.3.20.
func (s *Session) Subscribe(ctx context.Context, query string, o cim.SubscribeOptions) (cim.Enumerator, error) {
	language := o.Language
	if language == "" {
		language = "WQL"
	}
	e := &enumerator{operation: "ExecNotificationQuery", path: query, events: true}
	return s.enumerate(ctx, e, o.OperationOptions, func(ctx context.Context, services *Services) (*Enum, error) {
		return services.ExecNotificationQuery(ctx, language, query, semisynchronous, o.Context)
	})
}
