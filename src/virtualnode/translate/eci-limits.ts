/*
 * ECI's documented limits (ECI API reference, CreateContainerGroup, with the array limits of its metadata; Elastic
 * Container Instance, "Limits").
 */

/** Containers and init containers of one instance. */
export const MOST_CONTAINERS = 20;
export const MOST_VOLUMES = 20;
/** Of one instance; each key once. */
export const MOST_TAGS = 20;
/** Characters of an instance's name; two at least. */
export const LONGEST_NAME = 128;

/** Variables of one container. Their keys have 1–128 characters. */
export const MOST_VARIABLES = 240;
/** Characters of a variable's value. */
export const LONGEST_VALUE = 256;
/** Characters of the name of an image. */
export const LONGEST_IMAGE = 255;
/** Items of each of a container's other lists: commands, arguments, ports, mounts. */
export const MOST_ITEMS = 100;
