package queue_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/natsserver"
	"gorgone/queue"
)

// openExample opens a queue on an embedded NATS server.
func openExample(ctx context.Context) (q *queue.Queue, closeAll func()) {
	dir, err := os.MkdirTemp("", "gorgone-example-")
	if err != nil {
		log.Fatal(err)
	}
	server, err := natsserver.Start(natsserver.Options{StoreDir: dir})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := queue.Connect(ctx, queue.Options{InProcess: server.InProcess()})
	if err != nil {
		log.Fatal(err)
	}
	q, err = queue.Open(ctx, conn, queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return q, func() {
		conn.Close()
		server.Stop()
		os.RemoveAll(dir)
	}
}

// A dispatcher publishes a batch, and a worker fetches and acknowledges it.
func ExampleQueue() {
	ctx := context.Background()
	q, closeAll := openExample(ctx)
	defer closeAll()

	batch := queue.Batch{
		ID:     uuid.New(),
		Until:  time.Now().Add(q.Lease()),
		Tweets: []queue.Tweet{{ID: "20", Rows: []uuid.UUID{uuid.New()}}},
	}
	if refused, err := q.PublishBatches(ctx, []queue.Batch{batch}); err != nil {
		log.Fatal(refused, err)
	}

	consumer, err := q.ConsumeBatches(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer consumer.Stop()
	delivery, err := consumer.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	stop := delivery.KeepAlive(ctx, nil) // while the tweets are looked up
	fmt.Println("tweet", delivery.Batch().Tweets[0].ID, "delivery", delivery.Deliveries())
	stop()
	if err := delivery.Ack(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: tweet 20 delivery 1
}

// Processes share a counter.
func ExampleCell() {
	ctx := context.Background()
	q, closeAll := openExample(ctx)
	defer closeAll()

	cell, err := q.DurableCell(ctx, "visits", "the visits")
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		_, err := cell.Update(ctx, func(value []byte) ([]byte, error) {
			n, _ := strconv.Atoi(string(value)) // none yet: 0
			return []byte(strconv.Itoa(n + 1)), nil
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	value, _, err := cell.Load(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(value))
	// Output: 3
}
