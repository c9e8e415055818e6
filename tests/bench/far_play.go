package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"natsaccord/client/load"
)

// play measures one scenario, and leaves everything as it was.
func (s farSettings) play(ctx context.Context, f farSystem, sc scenario) (r farResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := f.settle(ctx); err != nil {
		return r, err
	}
	a := s.area
	if sc.down != "" {
		a = a.without(sc.down)
		if _, err := s.load(ctx, f, s.area, 0, s.warm); err != nil {
			return r, err
		}
		f.net().cut(a.down)
		defer f.net().mend()
		if r.outage, err = s.recovered(ctx, f, a); err != nil {
			return r, err
		}
	}
	if _, err := s.load(ctx, f, a, sc.conflicts, s.warm); err != nil {
		return r, err
	}
	fast, all, err := s.decisions(ctx, f, a)
	if err != nil {
		return r, err
	}
	if r.load, err = s.load(ctx, f, a, sc.conflicts, s.count); err != nil {
		return r, err
	}
	if r.fast, r.all, err = s.decisions(ctx, f, a); err != nil {
		return r, err
	}
	r.fast, r.all = r.fast-fast, r.all-all
	r.model, err = s.models(ctx, f, a)
	return r, err
}

// load has all regions with clients append at once.
func (s farSettings) load(ctx context.Context, f farSystem, a area, conflicts, count int) ([]load.Result, error) {
	results := make([]load.Result, len(a.regions))
	regions, ctx := errgroup.WithContext(ctx)
	for _, region := range s.writing(a) {
		w := &farWork{system: f, region: region, conflicts: conflicts}
		cfg := load.Config{Concurrency: s.clients, Count: uint64(s.clients * count), Duration: 10 * time.Minute}
		regions.Go(func() (err error) {
			results[region], err = load.Run(ctx, cfg, w.append)
			return err
		})
	}
	return results, regions.Wait()
}

// recovered waits until an append from every region with clients that is left has come through, and returns how long that took.
func (s farSettings) recovered(ctx context.Context, f farSystem, a area) (time.Duration, error) {
	start := time.Now()
	regions, ctx := errgroup.WithContext(ctx)
	for _, region := range s.writing(a) {
		w := &farWork{system: f, region: region}
		regions.Go(func() error {
			for {
				err := w.append(ctx, load.Call{})
				if err == nil || ctx.Err() != nil {
					return ctx.Err()
				}
			}
		})
	}
	err := regions.Wait()
	return time.Since(start), err
}

// decisions sums up what all regions have decided.
func (s farSettings) decisions(ctx context.Context, f farSystem, a area) (fast, all uint64, err error) {
	for _, region := range a.up() {
		one, of, err := f.fastPaths(ctx, region)
		if err != nil {
			return 0, 0, err
		}
		fast, all = fast+one, all+of
	}
	return fast, all, nil
}

func (s farSettings) models(ctx context.Context, f farSystem, a area) ([]time.Duration, error) {
	models := make([]time.Duration, len(a.regions))
	for _, region := range s.writing(a) {
		var err error
		if models[region], err = f.model(ctx, a, region); err != nil {
			return nil, err
		}
	}
	return models, nil
}
