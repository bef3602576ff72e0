package machine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

var logClass = (&cim.Class{Name: "Win32_NTLogEvent", Properties: []cim.Property{
	{Name: "Logfile", Type: cim.String, Key: true}, {Name: "RecordNumber", Type: cim.Uint32, Key: true}, {Name: "EventType", Type: cim.Uint8},
	{Name: "EventCode", Type: cim.Uint16}, {Name: "SourceName", Type: cim.String}, {Name: "TimeGenerated", Type: cim.Datetime}, {Name: "Message", Type: cim.String},
}}).Seal()

func logged(t testing.TB, record, code int, kind string, at time.Time) *cim.Instance {
	t.Helper()
	i := cim.NewInstance(logClass)
	for name, text := range map[string]string{"Logfile": "System", "RecordNumber": fmt.Sprint(record), "EventCode": fmt.Sprint(code), "EventType": kind, "SourceName": "disk",
		"TimeGenerated": string(cim.AtTime(at)), "Message": fmt.Sprint("event ", record)} {
		v, err := cim.ParseValue(i.Get(name).Type(), text)
		if err == nil {
			err = i.Set(name, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// journal is a server with a log, which may tell of new entries by itself.
type journal struct {
	cim.Session

	push chan *cim.Instance // nil: there is no subscription

	mu    sync.Mutex
	list  []*cim.Instance
	asked []string
}

func (j *journal) log(i *cim.Instance) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = append(j.list, i)
}

func (j *journal) Query(_ context.Context, query string, _ cim.QueryOptions) (cim.Enumerator, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = append(j.asked, query)
	return &page{list: slices.Clone(j.list)}, nil
}

func (j *journal) Subscribe(_ context.Context, query string, _ cim.SubscribeOptions) (cim.Enumerator, error) {
	if j.push == nil {
		return nil, &cim.Error{Status: cim.ErrNotSupported}
	}
	if !strings.Contains(query, "__InstanceCreationEvent") {
		return nil, &cim.Error{Status: cim.ErrInvalidQuery}
	}
	return &pushes{j.push}, nil
}

type page struct{ list []*cim.Instance }

func (p *page) Next(context.Context, int) ([]*cim.Instance, error) {
	list := p.list
	p.list = nil
	return list, io.EOF
}

func (p *page) Close() error { return nil }

type pushes struct{ push chan *cim.Instance }

func (p *pushes) Next(ctx context.Context, _ int) ([]*cim.Instance, error) {
	class := (&cim.Class{Name: "__InstanceCreationEvent", Properties: []cim.Property{{Name: "TargetInstance", Type: cim.Object}}}).Seal()
	select {
	case i := <-p.push:
		event := cim.NewInstance(class)
		return []*cim.Instance{event}, event.Set("TargetInstance", cim.Obj(i))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pushes) Close() error { return nil }

// Events are pushed where the server has a subscription, and asked for each ten seconds
// where it has none; what the filter leaves out does not come in either way.
func TestFollowEvents(t *testing.T) {
	for name, push := range map[string]chan *cim.Instance{"pushed": make(chan *cim.Instance), "asked": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if push != nil {
					push = make(chan *cim.Instance) // of this bubble
				}
				j := &journal{push: push, list: []*cim.Instance{logged(t, 1, 7, "1", time.Now().Add(-time.Minute))}}
				ctx, cancel := context.WithCancel(t.Context())
				var got []uint64
				var how []bool
				done := make(chan error)
				go func() {
					done <- machine.FollowEvents(ctx, j, machine.EventFilter{Levels: []string{"Error"}, IDs: "-76"}, func(list []machine.Event, pushed bool) {
						how = append(how, pushed)
						for _, e := range list {
							got = append(got, e.Record)
						}
					})
				}()
				synctest.Wait()
				if len(got) != 1 || got[0] != 1 || len(how) != 1 || how[0] != (push != nil) {
					t.Fatalf("at first: %v, %v", got, how)
				}
				for n, code := range []int{76, 7} { // the first is left out
					i := logged(t, 2+n, code, "1", time.Now())
					if push != nil {
						push <- i
					} else {
						j.log(i)
					}
				}
				if push != nil {
					push <- logged(t, 4, 7, "2", time.Now()) // a warning
				}
				synctest.Wait()
				if push == nil {
					time.Sleep(10 * time.Second)
					synctest.Wait()
					if len(j.asked) != 2 || !strings.Contains(j.asked[1], "TimeGenerated >= ") || j.asked[0] == j.asked[1] {
						t.Errorf("asked %q", j.asked)
					}
				}
				if len(got) == 0 || got[len(got)-1] != 3 && got[len(got)-2] != 3 || len(got) > 3 {
					t.Errorf("got %v", got)
				}
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("it ended by %v", err)
				}
			})
		})
	}
}

// What a list has is the newest, whatever the server's order, and no more than asked for.
func TestEventsAreTheNewest(t *testing.T) {
	j := &journal{}
	for n := range 40 {
		j.list = append(j.list, logged(t, n, 7, "1", time.Now().Add(time.Duration(n-60)*time.Minute)))
	}
	list, cut, err := machine.Events(t.Context(), j, machine.EventFilter{Limit: 3}, time.Now())
	if err != nil || !cut || len(list) != 3 || list[0].Record != 39 || list[2].Record != 37 {
		t.Errorf("%+v, cut %t, %v", list, cut, err)
	}
}
