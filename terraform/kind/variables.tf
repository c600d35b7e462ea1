variable "image_registry" {
  description = "Where the images of Millrace come from. By default they are loaded into the node by `make images`."
  type        = string
  default     = "localhost"
}

variable "image_tag" {
  description = "Tag of the images; empty: the chart's own version."
  type        = string
  default     = ""
}

variable "values_files" {
  description = "Paths of further values files for the chart; the last one wins."
  type        = list(string)
  default     = []
}
