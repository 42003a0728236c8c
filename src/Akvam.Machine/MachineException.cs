namespace Akvam.Machine;

/// <summary>Something the user can put right: a bad image, a size that does not fit. The message is one line for them.</summary>
public sealed class MachineException : Exception
{
    public MachineException(string message)
        : base(message)
    {
    }

    public MachineException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
