namespace Akvam.Debugger.Smram;

/// <summary>An image, or what should be one, cannot be used. The message says why in one line.</summary>
public sealed class SmramException : Exception
{
    public SmramException()
    {
    }

    public SmramException(string message)
        : base(message)
    {
    }

    public SmramException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
