package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// QueueOptions say how a queue keeps its tasks.
type QueueOptions struct {
	// Name is one token, in small letters.
	Name string
	// Memory keeps the tasks in memory: they end with the server.
	Memory bool
	// Single refuses a task while one of the same topic waits or runs.
	Single bool
	// Age is how long a task waits before it is dropped; 0 is for ever.
	Age time.Duration
	// Silence is after how long without a sign of life of its taker a task comes
	// again; 0 is 30 s.
	Silence time.Duration
}

// Task is a task as it was taken.
type Task struct {
	Topic string
	Data  []byte
	// Times is how often it was taken, this time included.
	Times int
}

// Outcome is what becomes of a task that was handled.
type Outcome int

// The outcomes.
const (
	Done  Outcome = iota // it is finished and goes away
	Again                // it comes again, soon
)

// duplicates is how long ids are remembered.
const duplicates = 30 * time.Minute

// Queue gives each task to one taker. It is safe for concurrent use.
type Queue struct {
	bus    *Bus
	o      QueueOptions
	stream jetstream.StreamConfig

	mu       sync.Mutex
	consumer jetstream.Consumer
}

// Queue opens a queue, and makes it where it is missing.
func (b *Bus) Queue(ctx context.Context, o QueueOptions) (*Queue, error) {
	if o.Silence == 0 {
		o.Silence = 30 * time.Second
	}
	q := &Queue{bus: b, o: o, stream: jetstream.StreamConfig{
		Name: "Q_" + o.Name, Subjects: []string{"q." + o.Name + ".>"}, Retention: jetstream.WorkQueuePolicy,
		Storage: jetstream.FileStorage, MaxAge: o.Age, Duplicates: duplicates, MaxMsgSize: MaxPayload,
	}}
	if o.Age > 0 && o.Age < duplicates {
		q.stream.Duplicates = o.Age
	}
	if o.Memory {
		q.stream.Storage = jetstream.MemoryStorage
	}
	if o.Single {
		q.stream.MaxMsgsPerSubject, q.stream.Discard, q.stream.DiscardNewPerSubject = 1, jetstream.DiscardNew, true
	}
	if err := q.make(ctx); err != nil {
		return nil, err
	}
	return q, nil
}

// make makes the stream and its consumer, also where a new server without the
// queues in memory came.
func (q *Queue) make(ctx context.Context) error {
	s, err := q.bus.js.CreateOrUpdateStream(ctx, q.stream)
	if err != nil {
		return failed("the queue "+q.o.Name, err)
	}
	c, err := s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.o.Silence, MaxAckPending: -1, MaxDeliver: -1})
	if err != nil {
		return failed("the queue "+q.o.Name, err)
	}
	q.mu.Lock()
	q.consumer = c
	q.mu.Unlock()
	return nil
}

// Publish adds a task; with an id that was used before, "" being none, it does
// nothing. Topic is made of [Token] and dots.
func (q *Queue) Publish(ctx context.Context, topic, id string, data []byte) error {
	return q.published(topic, q.bus.call(ctx, func(ctx context.Context, _ bool) error {
		_, err := q.bus.js.PublishMsg(ctx, q.message(topic, id, data))
		if lost(err) {
			if err = q.make(ctx); err == nil {
				_, err = q.bus.js.PublishMsg(ctx, q.message(topic, id, data))
			}
		}
		return err
	}))
}

// PublishAll adds many tasks, each as Publish does, and returns when all are
// written. A task of a topic that waits already is left out where the queue is
// Single.
func (q *Queue) PublishAll(ctx context.Context, tasks []Task, id func(topic string) string) error {
	waiting := make([]jetstream.PubAckFuture, len(tasks))
	for n := range len(tasks) + outstanding {
		if done := n - outstanding; done >= 0 && done < len(tasks) {
			if err := q.settle(ctx, tasks[done], id(tasks[done].Topic), waiting[done]); err != nil {
				return err
			}
		}
		if n < len(tasks) {
			var err error
			if waiting[n], err = q.bus.js.PublishMsgAsync(q.message(tasks[n].Topic, id(tasks[n].Topic), tasks[n].Data)); err != nil {
				return q.published(tasks[n].Topic, err)
			}
		}
	}
	return nil
}

// outstanding is how many tasks of one PublishAll are on their way to the disk: several
// calls together stay below what the connection permits.
const outstanding = 200

// settle waits until a task is written, and tries once more where it was not.
func (q *Queue) settle(ctx context.Context, t Task, id string, f jetstream.PubAckFuture) error {
	select {
	case <-f.Ok():
		return nil
	case err := <-f.Err():
		if err = q.published(t.Topic, err); err != nil && !errors.Is(err, ErrFull) {
			return q.Publish(ctx, t.Topic, id, t.Data)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (q *Queue) message(topic, id string, data []byte) *nats.Msg {
	m := nats.NewMsg("q." + q.o.Name + "." + topic)
	m.Data = data
	if id != "" {
		m.Header.Set(jetstream.MsgIDHeader, id)
	}
	return m
}

// maxPerSubject is the code of a stream that has its one message of a subject.
const maxPerSubject = 10077

func (q *Queue) published(topic string, err error) error {
	if err == nil {
		return nil
	}
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == maxPerSubject {
		return fmt.Errorf("%s: %w", topic, ErrFull)
	}
	return failed("the queue "+q.o.Name+": "+topic, err)
}

// Drop forgets the tasks whose topic matches and that wait, as in Bucket.List.
func (q *Queue) Drop(ctx context.Context, topics string) error {
	s, err := q.bus.js.Stream(ctx, q.stream.Name)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject("q."+q.o.Name+"."+topics))
	}
	return failed("the queue "+q.o.Name, err)
}

// Waiting is how many tasks wait or run.
func (q *Queue) Waiting(ctx context.Context) (int, error) {
	s, err := q.bus.js.Stream(ctx, q.stream.Name)
	if err != nil {
		return 0, failed("the queue "+q.o.Name, err)
	}
	return int(s.CachedInfo().State.Msgs), nil // #nosec G115 -- tasks fit into memory
}

// Consume takes tasks, at most so many at a time, until ctx ends; then it waits
// for those that run. While a handler runs the task is held.
func (q *Queue) Consume(ctx context.Context, parallel int, handle func(context.Context, Task) Outcome) {
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for ctx.Err() == nil {
				m, err := q.next(ctx)
				if err == nil {
					q.serve(ctx, m, handle)
				}
			}
		})
	}
	all.Wait()
}

// next waits for a task, some seconds at most.
func (q *Queue) next(ctx context.Context) (jetstream.Msg, error) {
	q.mu.Lock()
	c := q.consumer
	q.mu.Unlock()
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	m, err := c.Next(jetstream.FetchContext(wait))
	switch {
	case err == nil, ctx.Err() != nil, wait.Err() != nil:
		return m, err
	case lost(err):
		if err := q.make(ctx); err != nil {
			q.bus.log.Debug("bus: the queue cannot be made again", "queue", q.o.Name, "error", err)
		}
	case errors.Is(err, nats.ErrTimeout):
		return nil, err
	}
	select { // not too often where the server is away
	case <-ctx.Done():
	case <-time.After(4 * reconnectWait):
	}
	return nil, err
}

// lost tells that the stream or its consumer is not there.
func lost(err error) bool {
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound) ||
		errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, nats.ErrNoResponders)
}

// serve runs a handler and tells the server meanwhile that it is at it.
func (q *Queue) serve(ctx context.Context, m jetstream.Msg, handle func(context.Context, Task) Outcome) {
	t := Task{Topic: m.Subject()[len("q.")+len(q.o.Name)+1:], Data: m.Data(), Times: 1}
	if meta, err := m.Metadata(); err == nil {
		t.Times = int(meta.NumDelivered) // #nosec G115 -- how often a task came
	}
	finished := make(chan struct{})
	var beat sync.WaitGroup
	beat.Go(func() {
		tick := time.NewTicker(q.o.Silence / 3)
		defer tick.Stop()
		for {
			select {
			case <-finished:
				return
			case <-tick.C:
				_ = m.InProgress() // one that is lost is followed by another
			}
		}
	})
	outcome := handle(ctx, t)
	close(finished)
	beat.Wait()
	// With the bus gone the task comes again; who takes it then finds what was done.
	answer, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := error(nil)
	if outcome == Done {
		err = m.DoubleAck(answer)
	} else {
		err = m.NakWithDelay(time.Second)
	}
	if err != nil {
		q.bus.log.Debug("bus: a task could not be answered", "queue", q.o.Name, "topic", t.Topic, "error", err)
	}
}
