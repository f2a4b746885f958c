# A function as a container image: the files of its zip on the managed runtime's own base image.
#
#   make image                                            the service
#   make image APP=main:handler APP_DIR=../my-project     any app
#
# lays out the build context (build/image/…) and calls docker. Nothing runs in this build, so that
# the image of either CPU is built on any computer.
ARG PYTHON_VERSION=3.13
FROM public.ecr.aws/lambda/python:${PYTHON_VERSION}

# Lambda attaches no layers to an image. The collector's layer is unpacked here, where Lambda
# unpacks layers, and starts what is in /opt/extensions:
# https://docs.aws.amazon.com/lambda/latest/dg/extensions-configuration.html
COPY opt/ /opt/

COPY function/ ${LAMBDA_TASK_ROOT}/

# CMD knows no variables, so the base image's own entrypoint gets its argument from here. A command
# in the function's configuration (image_config) wins.
ARG HANDLER=lambdas.sse_streaming.entrypoint.handler
ARG STREAMING_APP=
ENV IMAGE_HANDLER=${HANDLER} STREAMING_APP=${STREAMING_APP}
ENTRYPOINT ["/bin/sh", "-c", "exec /lambda-entrypoint.sh \"${1:-$IMAGE_HANDLER}\"", "entrypoint"]
