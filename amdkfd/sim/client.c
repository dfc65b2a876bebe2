// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes, as far as they can be in each other's way: whoever opens a DRM file
 * is a client, however many files it has.
 *
 * Engines serve the submissions of clients in turn (job.c), and their queues
 * (sched.c). And a client makes those who change memory that it has registered
 * with GEM_USERPTR wait, its jobs being given the time to end: for
 * SIM_PATIENCE_NS at most, and, when that is used up, for
 * 1 / SIM_PATIENCE_SHARE of the time. It is one account, whatever number of
 * buffers, jobs and GPUs it has.
 */
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "engine.h"

#define SIM_PATIENCE_NS		NSEC_PER_SEC
#define SIM_PATIENCE_SHARE	4

static LIST_HEAD(sim_clients);
/* The list; the last reference of a client is dropped under it. */
static DEFINE_SPINLOCK(sim_clients_lock);

static struct sim_client *sim_client_find(struct pid *tgid)
{
	struct sim_client *client;

	lockdep_assert_held(&sim_clients_lock);
	list_for_each_entry(client, &sim_clients, node) {
		if (client->tgid == tgid) {
			kref_get(&client->ref);
			return client;
		}
	}
	return NULL;
}

static struct sim_client *sim_client_create(struct pid *tgid)
{
	struct sim_client *client;
	u32 i, k;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return NULL;
	kref_init(&client->ref);
	client->tgid = get_pid(tgid);
	spin_lock_init(&client->lock);
	for (i = 0; i < SIM_MAX_GPUS; i++)
		for (k = 0; k < SIM_SDMA_ENGINES; k++)
			INIT_LIST_HEAD(&client->lines[i][k].jobs);
	return client;
}

static void sim_client_free(struct sim_client *client)
{
	put_pid(client->tgid);
	kfree(client);
}

/**
 * sim_client_get() - the client that the caller is
 *
 * Context: sleeps.
 * Return: the client, referenced, or NULL when there is no memory.
 */
struct sim_client *sim_client_get(void)
{
	struct sim_client *client, *made;

	made = sim_client_create(task_tgid(current));
	if (!made)
		return NULL;
	spin_lock(&sim_clients_lock);
	client = sim_client_find(made->tgid);
	if (!client)
		list_add(&made->node, &sim_clients);
	spin_unlock(&sim_clients_lock);
	if (!client)
		return made;
	sim_client_free(made);
	return client;
}

static void sim_client_release(struct kref *ref)
	__releases(&sim_clients_lock)
{
	struct sim_client *client = container_of(ref, struct sim_client, ref);

	list_del(&client->node);
	spin_unlock(&sim_clients_lock);
	sim_client_free(client);
}

/**
 * sim_client_put() - drop a reference
 * @client: the client
 *
 * Context: any that may take a spinlock.
 */
void sim_client_put(struct sim_client *client)
{
	kref_put_lock(&client->ref, sim_client_release, &sim_clients_lock);
}

/* What has been used up; some of it has come back since the last time. */
static u64 sim_client_debt(struct sim_client *client)
{
	u64 now = ktime_get_ns(), back;

	lockdep_assert_held(&client->lock);
	back = (now - client->debt_at) / SIM_PATIENCE_SHARE;
	client->debt -= min(client->debt, back);
	client->debt_at = now;
	return client->debt;
}

/**
 * sim_client_patience() - how long others may be made to wait for a client now
 * @client: the client
 *
 * Context: any that may take a spinlock.
 * Return: ns; 0: they have waited enough.
 */
u64 sim_client_patience(struct sim_client *client)
{
	u64 debt;

	spin_lock(&client->lock);
	debt = sim_client_debt(client);
	spin_unlock(&client->lock);
	return SIM_PATIENCE_NS - min_t(u64, debt, SIM_PATIENCE_NS);
}

/**
 * sim_client_waited() - somebody has waited for a client
 * @client: the client
 * @ns: for so long
 *
 * Context: any that may take a spinlock.
 */
void sim_client_waited(struct sim_client *client, u64 ns)
{
	spin_lock(&client->lock);
	sim_client_debt(client);
	client->debt += ns;
	spin_unlock(&client->lock);
}
