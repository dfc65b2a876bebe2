// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that reads and writes the GPU's memory by itself, such as a network
 * adapter, as far as a buffer can tell: it attaches the buffer's dma-buf.
 *
 * debugfs "peer_attach": write the number of a dma-buf fd of the writer. The
 * dma-buf stays attached until the file is closed.
 *
 * peer->lock: the attachment.
 */
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "sim.h"

/**
 * struct sim_peer - an open file of peer_attach
 * @gpu: whose; also stands for the peer's struct device
 * @lock: protects @attachment
 * @attachment: NULL before the first write
 */
struct sim_peer {
	struct sim_gpu *gpu;
	struct mutex lock;	/* attachment */
	struct dma_buf_attachment *attachment;
};

static int sim_peer_open(struct inode *inode, struct file *filp)
{
	struct sim_peer *peer = kzalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);

	if (!peer)
		return -ENOMEM;
	peer->gpu = inode->i_private;
	mutex_init(&peer->lock);
	filp->private_data = peer;
	return 0;
}

static int sim_peer_attach(struct sim_peer *peer, int fd)
{
	struct dma_buf_attachment *attachment;
	struct dma_buf *dmabuf;
	int ret = -EBUSY;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	mutex_lock(&peer->lock);
	if (!peer->attachment) {
		attachment = dma_buf_attach(dmabuf, &peer->gpu->pdev->dev);
		ret = PTR_ERR_OR_ZERO(attachment);
		if (!ret)
			peer->attachment = attachment;
	}
	mutex_unlock(&peer->lock);
	if (ret)
		dma_buf_put(dmabuf);
	return ret;
}

static ssize_t sim_peer_write(struct file *filp, const char __user *buf,
			      size_t count, loff_t *pos)
{
	int fd, ret;

	ret = kstrtoint_from_user(buf, count, 0, &fd);
	if (!ret)
		ret = sim_peer_attach(filp->private_data, fd);
	return ret ?: count;
}

static int sim_peer_release(struct inode *inode, struct file *filp)
{
	struct sim_peer *peer = filp->private_data;
	struct dma_buf *dmabuf;

	if (peer->attachment) {
		dmabuf = peer->attachment->dmabuf;
		dma_buf_detach(dmabuf, peer->attachment);
		dma_buf_put(dmabuf);
	}
	mutex_destroy(&peer->lock);
	kfree(peer);
	return 0;
}

const struct file_operations sim_peer_fops = {
	.owner = THIS_MODULE,
	.open = sim_peer_open,
	.write = sim_peer_write,
	.release = sim_peer_release,
	.llseek = noop_llseek,
};
