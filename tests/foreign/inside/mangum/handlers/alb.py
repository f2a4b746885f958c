from mangum.handlers import any_door

ALB = any_door.AnyDoor
