/*
 * ECI's documented limits (ECI API reference, CreateContainerGroup, with the array limits of its metadata; Elastic
 * Container Instance, "Limits").
 */

/** Containers and init containers of an instance. */
export const MOST_CONTAINERS = 20;
export const MOST_VOLUMES = 20;
/** Tags of an instance, each with a key of its own. */
export const MOST_TAGS = 20;
/** Characters of an instance's name; the shortest has two. */
export const LONGEST_NAME = 128;

/** Environment variables of a container. Their keys have 1–128 characters. */
export const MOST_VARIABLES = 240;
/** Characters of a variable's value. */
export const LONGEST_VALUE = 256;
/** Characters of an image's name. */
export const LONGEST_IMAGE = 255;
/** Items of each of a container's other lists: commands, arguments, ports, mounts. */
export const MOST_ITEMS = 100;
/** Temporary storage beside what an instance has for nothing; GiB. */
export const MOST_EXTRA_STORAGE = 2_000;
/** Bytes of a file of a ConfigMap or Secret (ROS, ALIYUN::ECI::ContainerGroup: ConfigFileToPath.Content). */
export const LONGEST_FILE = 32_768;
