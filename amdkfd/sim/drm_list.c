// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of buffers that submissions use (BO_LIST), by handle in a DRM file.
 *
 * A list never changes: UPDATE puts another in its place. f->lists and the
 * references taken through it are protected by the xarray's lock.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_gem.h>

#include "drm_node.h"
#include "memory.h"

#define SIM_LIST_MAX_ENTRIES	65536u

static void sim_bo_list_release(struct kref *ref)
{
	struct sim_bo_list *list = container_of(ref, struct sim_bo_list, ref);
	u32 i;

	for (i = 0; i < list->count; i++)
		sim_bo_put(list->bos[i]);
	kvfree(list);
}

/**
 * sim_bo_list_put() - drop a reference
 * @list: the list, or NULL
 *
 * Context: sleeps.
 */
void sim_bo_list_put(struct sim_bo_list *list)
{
	if (list)
		kref_put(&list->ref, sim_bo_list_release);
}

/**
 * sim_bo_list_get() - find a list
 * @f: the file
 * @handle: of the list
 *
 * Context: any.
 * Return: the list, referenced, or NULL.
 */
struct sim_bo_list *sim_bo_list_get(struct sim_file *f, u32 handle)
{
	struct sim_bo_list *list;

	xa_lock(&f->lists);
	list = xa_load(&f->lists, handle);
	if (list)
		kref_get(&list->ref);
	xa_unlock(&f->lists);
	return list;
}

/**
 * sim_bo_list_create() - make a list
 * @file: whose handles it is about
 * @in: array of struct drm_amdgpu_bo_list_entry in user memory, whose entries
 *	may be larger than we know
 *
 * Context: sleeps.
 * Return: the list with one reference; ERR_PTR: -EINVAL for too many entries
 * or too small ones; -ENOENT for no such buffer; -EFAULT; -ENOMEM.
 */
struct sim_bo_list *sim_bo_list_create(struct drm_file *file,
				       const struct drm_amdgpu_bo_list_in *in)
{
	struct drm_amdgpu_bo_list_entry entry;
	struct drm_gem_object *obj;
	struct sim_bo_list *list;
	void __user *user;
	u32 i;

	if (in->bo_number > SIM_LIST_MAX_ENTRIES ||
	    in->bo_info_size < sizeof(entry) || in->bo_info_size > PAGE_SIZE)
		return ERR_PTR(-EINVAL);
	list = kvzalloc(struct_size(list, bos, in->bo_number),
			GFP_KERNEL_ACCOUNT);
	if (!list)
		return ERR_PTR(-ENOMEM);
	kref_init(&list->ref);

	user = u64_to_user_ptr(in->bo_info_ptr);
	for (i = 0; i < in->bo_number; i++, user += in->bo_info_size) {
		if (copy_from_user(&entry, user, sizeof(entry))) {
			sim_bo_list_put(list);
			return ERR_PTR(-EFAULT);
		}
		obj = drm_gem_object_lookup(file, entry.bo_handle);
		if (!obj) {
			sim_bo_list_put(list);
			return ERR_PTR(-ENOENT);
		}
		list->bos[list->count++] = to_sim_bo(obj);
	}
	return list;
}

static int sim_bo_list_add(struct sim_file *f, struct sim_bo_list *list,
			   u32 *handle)
{
	return xa_alloc(&f->lists, handle, list,
			XA_LIMIT(1, SIM_FILE_MAX_OBJECTS), GFP_KERNEL_ACCOUNT);
}

/* Takes the place of an existing list; its reference is the table's then. */
static int sim_bo_list_update(struct sim_file *f, struct sim_bo_list *list,
			      u32 handle)
{
	struct sim_bo_list *old;

	xa_lock(&f->lists);
	old = xa_load(&f->lists, handle);
	/* the entry exists: nothing is allocated */
	if (old)
		__xa_store(&f->lists, handle, list, 0);
	xa_unlock(&f->lists);
	sim_bo_list_put(old);
	return old ? 0 : -ENOENT;
}

/**
 * sim_ioctl_bo_list() - BO_LIST: make, change or destroy a list
 * @dev: the GPU
 * @data: union drm_amdgpu_bo_list
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0; -EINVAL for an unknown operation; -ENOENT for no such list;
 * -EBUSY for too many lists; what sim_bo_list_create() says.
 */
int sim_ioctl_bo_list(struct drm_device *dev, void *data,
		      struct drm_file *file)
{
	union drm_amdgpu_bo_list *args = data;
	struct sim_file *f = to_sim_file(file);
	struct sim_bo_list *list;
	u32 handle = args->in.list_handle;
	int ret;

	switch (args->in.operation) {
	case AMDGPU_BO_LIST_OP_DESTROY:
		list = xa_erase(&f->lists, handle);
		sim_bo_list_put(list);
		if (!list)
			return -ENOENT;
		break;
	case AMDGPU_BO_LIST_OP_CREATE:
	case AMDGPU_BO_LIST_OP_UPDATE:
		list = sim_bo_list_create(file, &args->in);
		if (IS_ERR(list))
			return PTR_ERR(list);
		ret = args->in.operation == AMDGPU_BO_LIST_OP_CREATE ?
		      sim_bo_list_add(f, list, &handle) :
		      sim_bo_list_update(f, list, handle);
		if (ret) {
			sim_bo_list_put(list);
			return ret;
		}
		break;
	default:
		return -EINVAL;
	}
	memset(args, 0, sizeof(*args));
	args->out.list_handle = handle;
	return 0;
}

/**
 * sim_bo_list_close() - the file is gone: drop its lists
 * @f: the file
 *
 * Context: sleeps.
 */
void sim_bo_list_close(struct sim_file *f)
{
	struct sim_bo_list *list;
	unsigned long handle;

	xa_for_each(&f->lists, handle, list)
		sim_bo_list_put(list);
	xa_destroy(&f->lists);
}
